"""What a notebook would do."""

import whence

with whence.Project.open(".") as project:
    build = project.build("recent", params={"rate": 0.25})
    print(build.id, build.status, build.counts)
    print(build["recent"])
    print(project.load(build.id, "discounted", partition="2024-02", form="pyarrow.Table").schema)
    for task in project.status().tasks:
        if task.state != "fresh":
            print(task.label, task.state)
