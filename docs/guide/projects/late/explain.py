"""What happened to the model in October?"""

import whence
from whence.why.live.windows import explain_live

with whence.Project.open(".") as project:
    verdict = explain_live(project, "live_auc", since="2026-10-01")
    print(verdict.sentence)
    print("drifts and does not matter:", *verdict.harmless)
    for other in verdict.alternatives:
        print(f"{other.fit:5.2f}  {other.kind} {' '.join(other.features)}")
