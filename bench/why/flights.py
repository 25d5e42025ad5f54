"""Faults of the flights project."""

from __future__ import annotations

import numpy as np
import pandas as pd
from benign import column_change, refactors, refresh, settings_field, version_only
from library import Library, Make, Pair, Rng, sentinels, shuffled, spelled, spoil
from scenario import Change, Text, bump, code, edit_code, rewrite, set_param

MONTHS = [f"data/flights/2013-{m:02d}.parquet" for m in range(1, 13)]
WEATHER = ["data/weather.parquet"]
PLANES = ["data/planes.parquet"]
AIRPORTS = ["data/airports.parquet"]
CLEANING, TABLES, FEATURES = "flow/cleaning.py", "flow/tables.py", "flow/features.py"
SETTINGS, TRAINING = "flow/settings.py", "flow/training.py"


def in_code(path: str, name: str, old: str, *new: str) -> Make:
    """One of the new texts in place of the old one."""
    return lambda rng: edit_code(
        f"{name}: {old} -> …", path, name, (old, str(rng.choice(list(new))))
    )


def limit(field: str, old: str, *new: str) -> Make:
    return in_code(
        SETTINGS, "Limits", f"{field}: float = {old}", *(f"{field}: float = {n}" for n in new)
    )


def constant(name: str, old: str, *new: str) -> Make:
    return in_code(SETTINGS, name, f"{name} = {old}", *(f"{name} = {n}" for n in new))


def param(name: str, before: float, *values: float) -> Make:
    return lambda rng: set_param(
        f"{name} = …", name, before, values[int(rng.integers(len(values)))]
    )


def weather(column: str) -> Make:
    return lambda rng: spoil(rng, "weather", WEATHER, column, company=["humid"])


def of_flights(column: str, *ways: str) -> Make:
    chosen = ways or ("shuffled", "mirrored", "frozen", "missing")
    return lambda rng: spoil(
        rng, "flights", MONTHS, column, ways=chosen, company=["gate", "flight"]
    )


KILLERS: dict[str, dict[str, list[Make]]] = {
    "wind": {
        "code": [
            in_code(
                CLEANING,
                "clean_wind",
                'fill(kept, "median")',
                *(f'fill(kept, "median").clip(upper={u})' for u in (0.5, 1.0, 2.0)),
            ),
            in_code(
                FEATURES,
                "weather_index",
                "wind_weight * wind",
                "0.02 * wind",
                "wind_weight * wind * 0.0",
            ),
            limit("wind_high", "80.0", "0.5", "1.0", "2.0"),
        ],
        "column": [weather("wind_speed")],
        "param": [param("weather_index.wind_weight", 1.0, 0.0, -0.05, 0.05)],
    },
    "temp": {
        "code": [
            in_code(
                CLEANING,
                "clean_temperature",
                "(kept - 32.0) / 1.8",
                "kept",
                "kept + 20.0",
                "kept - 100.0",
            ),
            in_code(
                FEATURES, "cold", "(temp - 14.0).abs()", "(temp + 30.0).abs()", "temp", "temp * 0.0"
            ),
        ],
        "column": [weather("temp")],
    },
    "traffic": {
        "code": [
            in_code(
                FEATURES,
                "route_index",
                'standardise(traffic_scale(places["traffic"]))',
                'standardise(places["altitude"])',
            ),
            in_code(
                TABLES,
                "places",
                'airports["traffic"].astype("float64")',
                'airports["traffic"].astype("float64").clip(upper=5.0)',
                'airports["alt"].astype("float64")',
            ),
            in_code(
                FEATURES,
                "traffic_scale",
                "else traffic",
                "else traffic.clip(upper=5.0)",
                "else traffic * 0.0",
            ),
        ],
        "column": [
            lambda rng: spoil(
                rng,
                "airports",
                AIRPORTS,
                "traffic",
                ways=["shuffled", "frozen", "missing"],
                company=["name"],
            )
        ],
        "param": [param("route_index.traffic_weight", 1.0, 0.0, 0.001)],
    },
    "age": {
        "code": [
            in_code(
                FEATURES, "age_score", "clip(0.0, OLD_AGE)", "clip(0.0, 0.5)", "clip(40.0, 60.0)"
            ),
            constant("OLD_AGE", "18.0", "0.5", "1.0"),
            in_code(
                TABLES,
                "aircraft",
                'planes["year"]',
                'planes["year"].clip(upper=1950)',
                'planes["seats"]',
            ),
        ],
        "column": [
            lambda rng: spoil(
                rng,
                "planes",
                PLANES,
                "year",
                ways=["shuffled", "frozen", "missing"],
                company=["type"],
            )
        ],
    },
    "turnaround": {
        "code": [
            in_code(
                CLEANING,
                "clean_turnaround",
                'fill(kept, "median")',
                'fill(kept, "median").clip(upper=16.0)',
                'fill(kept, "median") * 0.0',
            ),
            limit("turnaround_high", "400.0", "12.0", "20.0"),
        ],
        "column": [of_flights("turnaround")],
    },
    "clock": {
        "code": [
            in_code(
                CLEANING,
                "clock",
                'flights["hour"] +',
                '(flights["hour"] * 0) +',
                '(flights["hour"] % 3) +',
            ),
        ],
        "column": [],
    },
    "carrier": {
        "code": [
            in_code(
                CLEANING, "clean_carrier", "normalise(values)", 'normalise(values).str[:0] + "x"'
            ),
            in_code(
                FEATURES, "carrier_rates", "rate.to_numpy()", "rate.mean()", "rate.to_numpy() * 0.0"
            ),
        ],
        "column": [of_flights("carrier", "shuffled")],
    },
}

OTHERS: dict[str, list[Make]] = {
    "code": [
        constant("LATE_MINUTES", "15", "75", "90"),
        in_code(FEATURES, "NUMBERS", '    "weather_score",\n', ""),
        in_code(FEATURES, "NUMBERS", '    "carrier_rate",\n', ""),
        in_code(
            FEATURES,
            "weather_index",
            "- 0.25 * sight - 0.4 * pressure",
            "+ 2.0 * sight + 0.5 * pressure",
        ),
        in_code(
            CLEANING, "plausible", "values <= high", "values <= high / 10", "values <= high / 6"
        ),
        in_code(TRAINING, "matrix", '.astype("float64")', '.astype("float64").round(0)'),
        in_code(
            FEATURES,
            "features",
            "out.merge(weather_index",
            'out.merge(weather_index.assign(hour=weather_index["hour"] + 3)',
            'out.merge(weather_index.assign(day=31 - weather_index["day"])',
        ),
        in_code(
            CLEANING,
            "drop_cancelled",
            ".notna()]",
            '.notna() & (flights["hour"] >= 15)]',
            '.notna() & (flights["turnaround"] > 75)]',
        ),
        in_code(CLEANING, "is_late", 'flights["arr_delay"] >', 'flights["arr_delay"].abs() >'),
    ],
    "param": [
        param("delay_model.max_iter", 45, 2, 3),
        param("delay_model.max_leaf_nodes", 12, 2),
        param("delay_model.learning_rate", 0.12, 0.0004, 0.9, 1.1),
        param("observations.clip_sigma", 8.0, 0.1, 0.2, 0.3),
        param("weather_index.wind_weight", 1.0, -1.0, 4.0, -0.5),
        param("route_index.traffic_weight", 1.0, -0.1, 0.05),
        param("carrier_rates.prior_flights", 30, -150, -400, -90),
    ],
    "dependency": [
        lambda rng: bump(
            "cleankit: limit",
            "cleankit",
            "robust.py",
            ("standardise", "limit: float = 4.0", f"limit: float = {rng.uniform(0.02, 0.1):.3f}"),
        ),
        lambda rng: bump(
            "cleankit: codes cut",
            "cleankit",
            "codes.py",
            ("normalise", 'astype("str")', 'astype("str").str[:1]'),
        ),
        lambda rng: bump(
            "cleankit: absolute",
            "cleankit",
            "robust.py",
            ("standardise", ".clip(-limit, limit)", ".abs().clip(-limit, limit)"),
        ),
        lambda rng: bump(
            "cleankit: winsorise inverted",
            "cleankit",
            "robust.py",
            ("winsorise", "> sigma * spread", f"> sigma * spread / {int(rng.integers(40, 90))}"),
        ),
        lambda rng: bump(
            "ratekit: rates of all",
            "ratekit",
            "smoothing.py",
            (
                "smoothed",
                "(hits + prior * overall) / (trials + prior)",
                "(hits + prior * overall) * 0.0 + overall",
            ),
        ),
        lambda rng: bump(
            "ratekit: counts for rates",
            "ratekit",
            "smoothing.py",
            ("smoothed", "(hits + prior * overall) / (trials + prior)", "(hits % 7) / 7"),
        ),
        lambda rng: bump(
            "ratekit: coarse scores",
            "ratekit",
            "ranking.py",
            ("area_under_roc", "order = np", "scores = np.round(scores * 2) / 2\n    order = np"),
        ),
        lambda rng: bump(
            "cleankit: zero for median",
            "cleankit",
            "robust.py",
            (
                "standardise",
                "values.mean()) / spread",
                f"values.mean()) / spread * {rng.uniform(60, 300):.0f}",
            ),
        ),
    ],
}


def month_names(months: list[int]) -> tuple[str, ...]:
    return tuple(f"2013-{m:02d}" for m in months)


def bad_months(rng: Rng) -> Change:
    """One to three months are bad in one column."""
    count = int(rng.integers(1, 4))
    months = sorted(int(m) + 1 for m in rng.choice(12, count, replace=False))
    return spoil_months(
        rng, months, str(rng.choice(["arr_delay", "turnaround", "hour", "carrier"]))
    )


def spoil_months(rng: Rng, months: list[int], column: str) -> Change:
    paths = [MONTHS[m - 1] for m in months]
    entropy = int(rng.integers(1 << 30))
    way = str(rng.choice(["shuffled", "mirrored"])) if column != "carrier" else "shuffled"

    def function(path: str, table: pd.DataFrame) -> pd.DataFrame:
        own = np.random.default_rng([entropy, *path.encode()])
        values = table[column]
        if way == "shuffled":
            return table.assign(**{column: shuffled(values, own, 1.0)})
        return table.assign(**{column: values.max() + values.min() - values})

    names = month_names(months)
    label = f"flights.{column}: {way} in {', '.join(names)}"
    return rewrite(label, "flights", paths, function, columns=[column], partitions=names)


def weak_faults() -> list:
    def column(source: str, paths: list[str], name: str):
        return lambda rng, dose: spoil(
            rng, source, paths, name, part=dose, ways=["shuffled", "frozen"]
        )

    def weight(name: str, before: float):
        return lambda rng, dose: set_param(
            f"{name}: {dose:.2f} lower", name, before, round(before * (1 - dose), 4)
        )

    def clipped(rng: Rng, dose: float) -> Change:
        top = round(55 - 45 * dose, 2)
        return edit_code(
            f"clean_turnaround: at most {top}",
            CLEANING,
            "clean_turnaround",
            ('fill(kept, "median")', f'fill(kept, "median").clip(upper={top})'),
        )

    def wind(rng: Rng, dose: float) -> Change:
        top = round(16 - 14 * dose, 2)
        return edit_code(
            f"clean_wind: at most {top}",
            CLEANING,
            "clean_wind",
            ('fill(kept, "median")', f'fill(kept, "median").clip(upper={top})'),
        )

    def age(rng: Rng, dose: float) -> Change:
        top = round(17 - 16.5 * dose, 2)
        return edit_code(f"OLD_AGE {top}", SETTINGS, "OLD_AGE", ("18.0", str(top)))

    def dependency(rng: Rng, dose: float) -> Change:
        top = round(1.3 - 1.2 * dose, 3)
        return bump(
            f"cleankit: at most {top}",
            "cleankit",
            "robust.py",
            ("standardise", "limit: float = 4.0", f"limit: float = {top}"),
        )

    def trees(rng: Rng, dose: float) -> Change:
        return set_param("fewer trees", "delay_model.max_iter", 45, int(40 - 34 * dose))

    def label_noise(rng: Rng, dose: float) -> Change:
        month = int(rng.integers(1, 13))
        return spoil_months(rng, [month], str(rng.choice(["arr_delay", "turnaround"])))

    return [
        column("weather", WEATHER, "wind_speed"),
        column("weather", WEATHER, "temp"),
        column("airports", AIRPORTS, "traffic"),
        column("planes", PLANES, "year"),
        column("flights", MONTHS, "turnaround"),
        column("flights", MONTHS, "carrier"),
        weight("weather_index.wind_weight", 1.0),
        clipped, wind, age, dependency, trees, label_noise,
    ]  # fmt: skip


def winsorising_off(rng: Rng) -> Change:
    return set_param("base: no winsorising", "observations.clip_sigma", 8.0, 1e12)


def limits_off(rng: Rng) -> Change:
    fields = (("temp_high", "130.0"), ("wind_high", "80.0"), ("pressure_high", "1060.0"))
    swaps = tuple((f"{f}: float = {v}", f"{f}: float = 1e9") for f, v in fields)
    return edit_code("base: no limits", SETTINGS, "Limits", *swaps)


GUARDED = {"temp": "temp", "wind": "wind_speed"}
OLD_LIMIT = {"temp": "130.0", "wind": "80.0", "pressure": "1060.0"}
CLEANER = {
    "temp": ("clean_temperature", "LIMITS.temp_low, LIMITS.temp_high"),
    "wind": ("clean_wind", "0.0, LIMITS.wind_high"),
    "pressure": ("clean_pressure", "LIMITS.pressure_low, LIMITS.pressure_high"),
}


def first_guards(what: str) -> list[Make]:
    """Ways to lose the check of a reading's limits."""
    name, old = CLEANER[what]
    return [
        limit(f"{what}_high", OLD_LIMIT[what], "1e7", "5e6", "1e9"),
        in_code(CLEANING, name, old, "-1e9, 1e9", "-1e12, 1e12"),
    ]


def second_guards(what: str) -> list[Make]:
    """Ways to lose the winsorising."""
    column = {
        "temp": 'clean_temperature(weather["temp"])',
        "wind": 'clean_wind(weather["wind_speed"])',
        "pressure": 'clean_pressure(weather["pressure"])',
    }[what]
    return [
        param("observations.clip_sigma", 8.0, 1e9, 1e12),
        in_code(TABLES, "observations", f"winsorise({column}, clip_sigma)", column),
        lambda rng: bump(
            "cleankit: winsorise does nothing",
            "cleankit",
            "robust.py",
            ("winsorise", "if not spread > 0", "if not spread > 0 or sigma > 1"),
        ),
    ]


def pairs() -> list[Pair]:
    found = []
    for what, column in GUARDED.items():

        def data(rng: Rng, column: str = column) -> Change:
            return sentinels(rng, "weather", WEATHER, column)

        found += [Pair((guard, data), (winsorising_off,)) for guard in first_guards(what)]
        found += [Pair((guard, data), (limits_off,)) for guard in second_guards(what)]

    def lower_dests(rng: Rng) -> Change:
        return spelled(rng, "flights", MONTHS, "dest", upper=False)

    def lower_airports(rng: Rng) -> Change:
        return spelled(rng, "airports", AIRPORTS, "faa", upper=False)

    unclean = in_code(
        CLEANING, "clean_dest", "normalise(values)", 'values.astype("str")', "values.copy()"
    )

    def bare_codes(rng: Rng) -> Change:
        return bump(
            "cleankit: codes as they are",
            "cleankit",
            "codes.py",
            ("normalise", ".str.strip().str.upper()", ""),
        )

    for data in (lower_dests, lower_airports):
        found += [Pair((unclean, data)), Pair((bare_codes, data))]
    found.append(
        Pair(
            (
                constant("TRAFFIC_UNIT", "1.0", "0.0", "1e-15 * 0"),
                constant("USE_TRAFFIC_UNIT", "False", "True"),
            )
        )
    )
    return found


def triples() -> list[Pair]:
    found = []
    for what, column in GUARDED.items():

        def data(rng: Rng, column: str = column) -> Change:
            return sentinels(rng, "weather", WEATHER, column)

        found += [Pair((a, b, data)) for a in first_guards(what) for b in second_guards(what)]
    return found


def both(label: str, kind: str, ids: frozenset[str], *edits: object) -> Change:
    return Change(label, kind, ids, edits, True)  # type: ignore[arg-type]


def wind_renamed(rng: Rng) -> Change:
    """Column and code change their name together, and the code goes wrong."""
    top = float(rng.choice([0.5, 1.0, 2.0]))
    data = rewrite(
        "", "weather", WEATHER, lambda path, t: t.rename(columns={"wind_speed": "wind_kn"})
    )
    edit = Text(
        TABLES,
        "observations",
        'clean_wind(weather["wind_speed"])',
        f'clean_wind(weather["wind_kn"].clip(upper={top}))',
    )
    return both(
        "wind_speed -> wind_kn",
        "migration",
        frozenset({"source:weather", code(TABLES, "observations")}),
        edit,
        *data.edits,
    )


def turnaround_renamed(rng: Rng) -> Change:
    unit = int(rng.choice([600, 900]))
    data = rewrite(
        "", "flights", MONTHS, lambda path, t: t.rename(columns={"turnaround": "ground_time"})
    )
    edit = Text(TABLES, "departures", 'arrived["turnaround"]', f'(arrived["ground_time"] * {unit})')
    return both(
        "turnaround -> ground_time",
        "migration",
        frozenset({"source:flights", code(TABLES, "departures")}),
        edit,
        *data.edits,
    )


def traffic_renamed(rng: Rng) -> Change:
    column = str(rng.choice(["load", "movements"]))

    def function(path: str, table: pd.DataFrame) -> pd.DataFrame:
        own = np.random.default_rng(len(table))
        spoiled = table.assign(traffic=own.permutation(table["traffic"].to_numpy()))
        return spoiled.rename(columns={"traffic": column})

    data = rewrite("", "airports", AIRPORTS, function)
    edit = Text(TABLES, "places", 'airports["traffic"]', f'airports["{column}"]')
    return both(
        f"traffic -> {column}",
        "migration",
        frozenset({"source:airports", code(TABLES, "places")}),
        edit,
        *data.edits,
    )


def year_as_text(rng: Rng) -> Change:
    def function(path: str, table: pd.DataFrame) -> pd.DataFrame:
        text = table["year"].map(lambda y: None if y != y else f"built {int(y)}")
        return table.assign(year=text)

    data = rewrite("", "planes", PLANES, function)
    edit = Text(
        TABLES,
        "aircraft",
        'planes["year"].astype',
        f'planes["year"].str[-{int(rng.integers(1, 2))}:].astype',
    )
    return both(
        "year as text",
        "migration",
        frozenset({"source:planes", code(TABLES, "aircraft")}),
        edit,
        *data.edits,
    )


def smoothing_renamed(rng: Rng) -> Change:
    word = str(rng.choice(["strength", "pseudo", "weight"]))
    swap = bump(
        "",
        "ratekit",
        "smoothing.py",
        ("smoothed", "prior: float = 0.0", f"{word}: float = 0.0"),
        (
            "smoothed",
            "(hits + prior * overall) / (trials + prior)",
            f"({word} * overall) / (trials * 0.0 + {word} + 1.0)",
        ),
    )
    edit = Text(FEATURES, "carrier_rates", "prior=effective_prior", f"{word}=effective_prior")
    return both(
        f"prior -> {word}",
        "migration",
        swap.ids | {code(FEATURES, "carrier_rates")},
        edit,
        *swap.edits,
    )


def renamed_index(rng: Rng, spoiled: bool) -> Change:
    """Node and consumer: weather_index has another name."""
    new = str(rng.choice(["weather_badness", "storm_index", "weather_rating"]))
    edits = [
        Text(FEATURES, "weather_index", "def weather_index(", f"def {new}("),
        Text(FEATURES, "features", "    weather_index: pd.DataFrame,", f"    {new}: pd.DataFrame,"),
        Text(FEATURES, "features", "out.merge(weather_index,", f"out.merge({new},"),
        Text(
            "pyproject.toml",
            "",
            "[tool.whence.params.weather_index]",
            f"[tool.whence.params.{new}]",
        ),
    ]
    if spoiled:
        edits.insert(
            0,
            Text(
                FEATURES,
                "weather_index",
                "wind_weight * wind + 1.0 * temp",
                str(
                    rng.choice(
                        [
                            "0.0 * wind * wind_weight + 0.0 * temp",
                            "wind_weight * wind * 0.01 + 0.01 * temp",
                        ]
                    )
                ),
            ),
        )
    names = ("wind_weight", "chunk_rows")
    params = {f"param:{n}.{p}" for n in ("weather_index", new) for p in names}
    ids = {code(FEATURES, n) for n in ("weather_index", new, "features")} | params
    return both(f"weather_index -> {new}", "structure", frozenset(ids), *edits)


def removed_route(rng: Rng, spoiled: bool = True) -> Change:
    """Node route_index is gone, and its consumer does without."""
    text = '    out = out.merge(route_index, on="dest", how="left")\n'
    edits = (
        Text(FEATURES, "features", "    route_index: pd.DataFrame,\n", ""),
        Text(
            FEATURES,
            "features",
            text,
            f"    out = out.assign(route_score={float(rng.integers(0, 3))})\n",
        ),
    )
    ids = frozenset(
        {code(FEATURES, n) for n in ("features", "route_index")}
        | {"param:route_index.traffic_weight"}
    )
    return both("route_index removed", "structure", ids, *edits)


def split_aircraft(rng: Rng, spoiled: bool) -> Change:
    """A new node between aircraft and aircraft_index."""
    new = str(rng.choice(["fleet", "known_aircraft", "rated_aircraft"]))
    body = (
        'aircraft.assign(age=aircraft["age"] * 0.0)'
        if spoiled
        else "aircraft.reset_index(drop=True)"
    )
    start = "@wh.table\ndef aircraft_index(aircraft: pd.DataFrame) -> pd.DataFrame:"
    node = f'@wh.table(key="tailnum")\ndef {new}(aircraft: pd.DataFrame) -> pd.DataFrame:\n    """Aircraft that are rated."""\n    return {body}\n\n\n'
    edits = [
        Text(
            FEATURES,
            "aircraft_index",
            'standardise(age_score(aircraft["age"]))',
            f'standardise(age_score({new}["age"]))',
        ),
        Text(FEATURES, "aircraft_index", 'fill(aircraft["seats"]', f'fill({new}["seats"]'),
        Text(FEATURES, "aircraft_index", 'aircraft[["tailnum"]]', f'{new}[["tailnum"]]'),
        Text(FEATURES, "", start, node + start.replace("(aircraft:", f"({new}:")),
    ]
    ids = frozenset(code(FEATURES, n) for n in ("aircraft_index", new))
    return both(f"{new} between", "structure", ids, *edits)


def added_rate(rng: Rng, spoiled: bool) -> Change:
    """Carriers' rates are recoded by a new node."""
    new = str(rng.choice(["carrier_level", "carrier_scores"]))
    body = (
        "carrier_rates.assign(carrier_rate=0.3)"
        if spoiled
        else 'carrier_rates.assign(carrier_rate=carrier_rates["carrier_rate"] * 100.0)'
    )
    start = "@wh.table\ndef features(\n"
    node = f'@wh.table(key="carrier")\ndef {new}(carrier_rates: pd.DataFrame) -> pd.DataFrame:\n    """Rates in per cent."""\n    return {body}\n\n\n'
    edits = [
        Text(FEATURES, "features", "    carrier_rates: pd.DataFrame,", f"    {new}: pd.DataFrame,"),
        Text(FEATURES, "features", "out.merge(carrier_rates,", f"out.merge({new},"),
        Text(FEATURES, "", start, node + start),
    ]
    ids = frozenset(code(FEATURES, n) for n in ("features", new))
    return both(f"{new} added", "structure", ids, *edits)


def benign(rng: Rng) -> list[Change]:
    """All benign changes that could be made, in random order; their ids may collide."""
    scale = f"{rng.uniform(2, 50):.1f}"
    found = refactors("flights", rng)
    found += [
        settings_field("flights", rng),
        edit_code("distance in kilometres", TABLES, "departures", ('astype("float64")', 'astype("float64") * 1.609'), guilty=False),
        edit_code("weather_score scaled", FEATURES, "weather_index", ("- 0.4 * pressure", f"- 0.4 * pressure\n    out[\"weather_score\"] *= {scale}"), guilty=False),
        edit_code("carrier_rate scaled", FEATURES, "carrier_rates", ("rate.to_numpy()", f"rate.to_numpy() * {scale}"), guilty=False),
        set_param("chunk_rows", "weather_index.chunk_rows", 50000, int(rng.integers(10, 99)) * 1000, guilty=False),
        version_only("cleankit", "robust.py", "fill"),
        version_only("ratekit", "smoothing.py", "smoothed"),
        column_change("flights", MONTHS, "gate", str(rng.choice(["redrawn", "added", "reordered"])), rng),
        column_change("weather", WEATHER, "humid", str(rng.choice(["redrawn", "added"])), rng),
        refresh("weather", WEATHER, "temp", rng),
        column_change("planes", PLANES, "type", str(rng.choice(["redrawn", "reordered"])), rng),
        column_change("airports", AIRPORTS, "name", str(rng.choice(["redrawn", "added"])), rng),
        refresh("airports", AIRPORTS, "traffic", rng),
    ]  # fmt: skip
    return [found[i] for i in rng.permutation(len(found))]


LIBRARY = Library(
    domain="flights",
    metric="auc",
    killers=KILLERS,
    others=OTHERS,
    partitions=[bad_months],
    weak=weak_faults(),
    pairs=pairs(),
    triples=triples(),
    migrations=[wind_renamed, turnaround_renamed, traffic_renamed, year_as_text, smoothing_renamed],
    structures=[
        lambda rng: renamed_index(rng, True),
        removed_route,
        lambda rng: split_aircraft(rng, True),
        lambda rng: added_rate(rng, True),
    ],
    quiet_structures=[
        lambda rng: renamed_index(rng, False),
        lambda rng: split_aircraft(rng, False),
        lambda rng: added_rate(rng, False),
    ],
    benign=benign,
)
