"""Ask for one penguin over HTTP: `whence serve species`."""

import pandas as pd
import whence as wh
from pydantic import BaseModel, Field
from sklearn.pipeline import Pipeline

from penguins.prepare import MEASURES


class Penguin(BaseModel):
    """The measures of one penguin."""

    bill_length_mm: float = Field(gt=0, lt=100)
    bill_depth_mm: float = Field(gt=0, lt=50)


@wh.service
def species(species_model: Pipeline, request: Penguin) -> dict[str, object]:
    """The most probable species, and the probability of each."""
    row = pd.DataFrame([request.model_dump()])[MEASURES]
    chances = dict(zip(species_model.classes_, species_model.predict_proba(row)[0], strict=True))
    best = max(chances, key=lambda name: chances[name])
    return {"species": best, "probability": {name: float(p) for name, p in chances.items()}}
