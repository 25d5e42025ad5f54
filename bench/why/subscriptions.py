"""Faults of the subscriptions project."""

from __future__ import annotations

import numpy as np
import pandas as pd
from benign import column_change, refactors, refresh, settings_field, version_only
from library import Library, Make, Pair, Rng, sentinels, spelled, spoil
from scenario import Change, Text, bump, code, edit_code, rewrite, set_param

QUARTERS = [f"{y}-Q{q}" for y in (2023, 2024) for q in (1, 2, 3, 4)]
ORDERS = [f"data/orders/{q}.parquet" for q in QUARTERS]
CUSTOMERS = ["data/customers.parquet"]
PLANS = ["data/plans.parquet"]
CLEANING, TABLES, FEATURES = "flow/cleaning.py", "flow/tables.py", "flow/features.py"
SETTINGS, TRAINING = "flow/settings.py", "flow/training.py"


def in_code(path: str, name: str, old: str, *new: str) -> Make:
    """One of the new texts in place of the old one."""
    return lambda rng: edit_code(
        f"{name}: {old} -> …", path, name, (old, str(rng.choice(list(new))))
    )


def bound(field: str, old: str, *new: str) -> Make:
    texts = (f"{field}: float = {n}" for n in new)
    return in_code(SETTINGS, "Bounds", f"{field}: float = {old}", *texts)


def constant(name: str, old: str, *new: str) -> Make:
    return in_code(SETTINGS, name, f"{name} = {old}", *(f"{name} = {n}" for n in new))


def param(name: str, before: float, *values: float) -> Make:
    return lambda rng: set_param(
        f"{name} = …", name, before, values[int(rng.integers(len(values)))]
    )


def of_customers(column: str, *ways: str) -> Make:
    chosen = ways or ("shuffled", "mirrored", "frozen", "missing")
    return lambda rng: spoil(
        rng, "customers", CUSTOMERS, column, ways=chosen, company=["newsletter"]
    )


def of_orders(column: str, *ways: str) -> Make:
    chosen = ways or ("shuffled", "mirrored", "frozen", "missing")
    return lambda rng: spoil(
        rng, "orders", ORDERS, column, ways=chosen, company=["courier", "items"]
    )


KILLERS: dict[str, dict[str, list[Make]]] = {
    "worth": {
        "code": [
            in_code(FEATURES, "activity", "zscore(amount) + 1.0", "amount * 0.0", "zscore(amount) * 0.0"),
            in_code(CLEANING, "drop_returned", '~orders["returned"]', 'orders["returned"]'),
        ],
        "column": [of_orders("customer_id", "shuffled")],
    },
    "region": {
        "code": [
            in_code(CLEANING, "clean_region", "tidy(values)", 'tidy(values).str[:0] + "x"'),
            in_code(FEATURES, "region_levels", "means.to_numpy()", "means.mean()", "means.to_numpy() * 0.0"),
        ],
        "column": [of_customers("region", "shuffled")],
    },
    "price": {
        "code": [
            in_code(FEATURES, "log_price", "np.log1p(price)", "np.log1p(price * 0.0)", "np.log1p(price.clip(upper=0.01)) * 0.0"),
            in_code(TABLES, "tariffs", 'plans["price"].astype("float64")', 'plans["price"].astype("float64") * 0.0', 'plans["launched"] * 0.0'),
        ],
        "column": [of_customers("plan", "shuffled")],
    },
    "mood": {
        "code": [
            in_code(FEATURES, "mood", "zscore(satisfaction) - weight * zscore(tickets)", "zscore(satisfaction * tickets * 0.0)", "(satisfaction - tickets) * 0.0"),
        ],
        "column": [],
    },
    "loyalty": {
        "code": [
            in_code(FEATURES, "loyalty", "np.log1p(tenure) ** power", "np.log1p(tenure * 0.0) ** power", "tenure.clip(upper=6.0) ** power"),
            in_code(CLEANING, "clean_tenure", 'fill_gaps(kept, "median")', 'fill_gaps(kept, "median").clip(upper=6.0)', 'fill_gaps(kept, "median") * 0.0'),
            bound("tenure_high", "5000.0", "6.0", "10.0"),
        ],
        "column": [of_customers("tenure_days")],
        "param": [param("profile.tenure_power", 1.0, 0.0)],
    },
    "channel": {
        "code": [
            in_code(CLEANING, "clean_channel", "tidy(values)", 'tidy(values).str[:0] + "x"'),
            in_code(FEATURES, "channel_levels", "means.to_numpy()", "means.mean()", "means.to_numpy() * 0.0"),
        ],
        "column": [of_customers("channel", "shuffled")],
    },
}  # fmt: skip

OTHERS: dict[str, list[Make]] = {
    "code": [
        in_code(FEATURES, "mood", "zscore(satisfaction) - weight * zscore(tickets)", "zscore(satisfaction) + zscore(tickets)", "zscore(tickets) * 0.01 - zscore(satisfaction).abs()"),
        in_code(FEATURES, "NUMBERS", '    "mood",\n', ""),
        in_code(FEATURES, "NUMBERS", '    "worth",\n    "recent",\n', ""),
        in_code(TRAINING, "matrix", ".fillna(0.0)", ".fillna(0.0).round(0)"),
        in_code(CLEANING, "target", "np.log1p(", "0.5 * np.log1p(", "1.3 * np.log1p("),
        in_code(FEATURES, "features", 'on="customer_id", how="left"', 'on="customer_id", how="left").assign(mood=0.0, loyalty=0.0'),
        in_code(FEATURES, "recency_weight", "(LAST_DAY - day)", "(day - LAST_DAY * 9)", "(LAST_DAY - day) * 90.0"),
        bound("satisfaction_high", "10.0", "2.0", "3.0"),
    ],
    "column": [of_customers("satisfaction"), of_customers("tickets", "shuffled", "frozen", "missing"), of_customers("spend_next", "shuffled")],
    "param": [
        param("spend_model.max_depth", 9, 1, 2),
        param("spend_model.min_samples_leaf", 4, 400, 600),
        param("spend_model.n_estimators", 40, 1),
param("profile.ticket_weight", 1.0, -1.0, -2.0, 4.0, 6.0),
        param("profile.price_cap", 1000.0, 0.5, 1.0, 5.0),
        param("profile.tenure_power", 1.0, 0.0),
        param("activity.winsor_sigma", 10.0, 0.001),
    ],
    "dependency": [
        lambda rng: bump("tidykit: limit", "tidykit", "outliers.py", ("zscore", "limit: float = 4.0", f"limit: float = {rng.uniform(0.005, 0.03):.4f}")),
        lambda rng: bump("tidykit: labels cut", "tidykit", "labels.py", ("tidy", 'astype("str")', f'astype("str").str[{int(rng.integers(5, 9))}:]')),
        lambda rng: bump("tidykit: absolute", "tidykit", "outliers.py", ("zscore", ".clip(-limit, limit)", f".abs().clip(0, limit).round({int(rng.integers(0, 3))})")),
        lambda rng: bump("groupkit: one level", "groupkit", "levels.py", ("shrunken_means", '(found["sum"] + prior * overall)', '(found["size"] + prior)')),
        lambda rng: bump("groupkit: more error", "groupkit", "errors.py", ("absolute_errors", "np.asarray(said, float)", f"np.asarray(said, float).round({int(rng.integers(0, 1))})")),
        lambda rng: bump("groupkit: squared", "groupkit", "errors.py", ("absolute_errors", "return np.abs(np.asarray(truth, float) - np.asarray(said, float))", f"return np.abs(np.asarray(truth, float) - np.asarray(said, float)) ** {rng.uniform(1.2, 2.0):.2f}")),
    ],
}  # fmt: skip


def bad_quarters(rng: Rng) -> Change:
    """One to three quarters whose orders are booked on others, or in another unit."""
    count = int(rng.integers(2, 5))
    chosen = sorted(int(i) for i in rng.choice(len(ORDERS), count, replace=False))
    column = str(rng.choice(["customer_id", "amount"]))
    entropy, unit = int(rng.integers(1 << 30)), float(rng.choice([8.0, 12.0, 20.0]))

    def function(path: str, table: pd.DataFrame) -> pd.DataFrame:
        own = np.random.default_rng([entropy, *path.encode()])
        if column == "amount":
            return table.assign(amount=table["amount"] * unit)
        return table.assign(customer_id=own.permutation(table["customer_id"].to_numpy()))

    names = tuple(QUARTERS[i] for i in chosen)
    paths = [ORDERS[i] for i in chosen]
    label = f"orders.{column}: wrong in {', '.join(names)}"
    return rewrite(label, "orders", paths, function, columns=[column], partitions=names)


def bad_region(rng: Rng) -> Change:
    """The customers of one region are wrong in one column."""
    where = str(rng.choice(["region", "channel"]))
    values = {"region": ["north", "south", "east", "west", "abroad"], "channel": ["web", "app"]}
    value = str(rng.choice(values[where]))
    column = str(rng.choice(["spend_next", "satisfaction", "tenure_days", "plan"]))
    entropy = int(rng.integers(1 << 30))

    def function(path: str, table: pd.DataFrame) -> pd.DataFrame:
        own = np.random.default_rng([entropy, *path.encode()])
        inside = (table[where] == value).to_numpy()
        out = table[column].to_numpy().copy()
        out[inside] = own.permutation(out[inside])
        return table.assign(**{column: out})

    label = f"customers.{column}: shuffled where {where} is {value}"
    return rewrite(
        label, "customers", CUSTOMERS, function, columns=[column], partitions=(f"{where}={value}",)
    )


def weak_faults() -> list:
    def column(name: str):
        return lambda rng, dose: (
            spoil(rng, "customers", CUSTOMERS, name, part=dose, ways=["shuffled", "frozen"])
            if name != "region" and name != "channel"
            else spoil(rng, "customers", CUSTOMERS, name, part=dose, ways=["shuffled"])
        )

    def tenure(rng: Rng, dose: float) -> Change:
        top = round(800 * (1 - dose) ** 2 + 20, 1)
        swap = ('fill_gaps(kept, "median")', f'fill_gaps(kept, "median").clip(upper={top})')
        return edit_code(f"clean_tenure: at most {top}", CLEANING, "clean_tenure", swap)

    def tickets(rng: Rng, dose: float) -> Change:
        top = round(3.5 * (1 - dose), 2)
        return edit_code(f"TICKETS_CAP {top}", SETTINGS, "TICKETS_CAP", ("8.0", str(top)))

    def dependency(rng: Rng, dose: float) -> Change:
        top = round(1.0 - 0.9 * dose, 3)
        swap = ("zscore", "limit: float = 4.0", f"limit: float = {top}")
        return bump(f"tidykit: at most {top}", "tidykit", "outliers.py", swap)

    def depth(rng: Rng, dose: float) -> Change:
        return set_param("shallower", "spend_model.max_depth", 9, int(7 - 4 * dose))

    def leaf(rng: Rng, dose: float) -> Change:
        value = int(10 + 50 * dose)
        return set_param("larger leaves", "spend_model.min_samples_leaf", 4, value)

    def life(rng: Rng, dose: float) -> Change:
        return set_param("half-life", "activity.half_life", 365.0, round(90 * (1 - dose) + 4, 1))

    return [
        column("satisfaction"), column("tickets"), column("tenure_days"), column("region"),
        column("channel"), column("plan"), tenure, tickets, dependency, depth, leaf, life,
    ]  # fmt: skip


def drawing_in_off(rng: Rng) -> Change:
    return set_param("base: nothing drawn in", "activity.winsor_sigma", 10.0, 1e12)


def bounds_off(rng: Rng) -> Change:
    swap = ("amount_high: float = 5000.0", "amount_high: float = 1e9")
    return edit_code("base: no bounds", SETTINGS, "Bounds", swap)


def amounts(rng: Rng) -> Change:
    return sentinels(rng, "orders", ORDERS, "amount")


def satisfactions(rng: Rng) -> Change:
    return sentinels(rng, "customers", CUSTOMERS, "satisfaction", low=bool(rng.random() < 0.4))


FIRST: list[Make] = [
    bound("amount_high", "5000.0", "1e7", "5e6", "1e9"),
    in_code(CLEANING, "clean_amount", "within(amount, 0.0, BOUNDS.amount_high)", "within(amount, 0.0, 1e9)", "amount"),
]  # fmt: skip
SECOND: list[Make] = [
    param("activity.winsor_sigma", 10.0, 1e9, 1e12),
    in_code(FEATURES, "activity", 'draw_in(purchases["amount"], winsor_sigma)', 'purchases["amount"]', 'purchases["amount"].clip(lower=0.0)'),
    lambda rng: bump("tidykit: draw_in does nothing", "tidykit", "outliers.py", ("draw_in", "if not spread > 0", "if not spread > 0 or sigma > 1")),
]  # fmt: skip


def pairs() -> list[Pair]:
    found = [Pair((guard, amounts), (drawing_in_off,)) for guard in FIRST]
    found += [Pair((guard, amounts), (bounds_off,)) for guard in SECOND]
    kept = 'within(values.astype("float64"), 0.0, BOUNDS.satisfaction_high)'
    unchecked = in_code(CLEANING, "clean_satisfaction", kept, 'values.astype("float64")')
    found += [Pair((unchecked, satisfactions))] * 2

    def bare_labels(rng: Rng) -> Change:
        swap = ("tidy", ".str.strip().str.lower()", "")
        return bump("tidykit: labels as they are", "tidykit", "labels.py", swap)

    unclean = in_code(
        CLEANING, "clean_plan", "tidy(values)", 'values.astype("str")', "values.copy()"
    )

    def in_customers(rng: Rng) -> Change:
        return spelled(rng, "customers", CUSTOMERS, "plan", upper=True)

    def in_plans(rng: Rng) -> Change:
        return spelled(rng, "plans", PLANS, "plan", upper=True)

    found += [
        Pair((guard, data)) for guard in (bare_labels, unclean) for data in (in_customers, in_plans)
    ]
    found.append(
        Pair(
            (
                constant("USD_IN_EUR", "1.0", "80.0", "120.0"),
                constant("CONVERT_CURRENCY", "False", "True"),
            ),
            (drawing_in_off,),
        )
    )
    return found


def triples() -> list[Pair]:
    return [Pair((a, b, amounts)) for a in FIRST for b in SECOND]


def both(label: str, kind: str, ids: frozenset[str], *edits: object) -> Change:
    return Change(label, kind, ids, edits, True)  # type: ignore[arg-type]


def renamed(source: str, paths: list[str], old: str, node: str, table: str, fault: str) -> Make:
    """A column has another name, and the code that follows goes wrong; alone either crashes."""

    def make(rng: Rng) -> Change:
        new = f"{old}_{rng.choice(['v2', 'new', 'std'])}"
        data = rewrite("", source, paths, lambda path, t: t.rename(columns={old: new}))
        edit = Text(TABLES, node, f'{table}["{old}"]', f'{table}["{new}"]{fault}')
        ids = frozenset({f"source:{source}", code(TABLES, node)})
        return both(f"{old} -> {new}", "migration", ids, edit, *data.edits)

    return make


def amount_in_cents(rng: Rng) -> Change:
    new = str(rng.choice(["cents", "amount_cents"]))

    def function(path: str, table: pd.DataFrame) -> pd.DataFrame:
        cents = table.assign(amount=(table["amount"] * 100).round())
        return cents.rename(columns={"amount": new})

    data = rewrite("", "orders", ORDERS, function)
    edit = Text(
        CLEANING,
        "clean_amount",
        'orders["amount"].astype("float64")',
        f'orders["{new}"].astype("float64") % 7.0 - 3.0',
    )
    ids = frozenset({"source:orders", code(CLEANING, "clean_amount")})
    return both(f"amount -> {new}", "migration", ids, edit, *data.edits)


def means_renamed(rng: Rng) -> Change:
    word = str(rng.choice(["strength", "pseudo", "weight"]))
    swap = bump(
        "",
        "groupkit",
        "levels.py",
        ("shrunken_means", "prior: float = 0.0", f"{word}: float = 0.0"),
        (
            "shrunken_means",
            '(found["sum"] + prior * overall) / (found["size"] + prior)',
            f'({word} * overall) / (found["size"] * 0.0 + {word} + 1.0)',
        ),
    )
    edits = [
        Text(FEATURES, "region_levels", "prior=effective_prior", f"{word}=effective_prior"),
        Text(FEATURES, "channel_levels", "prior=10.0", f"{word}=10.0"),
    ]
    ids = swap.ids | {code(FEATURES, "region_levels"), code(FEATURES, "channel_levels")}
    return both(f"prior -> {word}", "migration", ids, *edits, *swap.edits)


def renamed_activity(rng: Rng, spoiled: bool) -> Change:
    new = str(rng.choice(["habits", "ordering", "behaviour"]))
    edits = [
        Text(FEATURES, "activity", "def activity(", f"def {new}("),
        Text(FEATURES, "features", "    activity: pd.DataFrame,", f"    {new}: pd.DataFrame,"),
        Text(FEATURES, "features", "merge(activity,", f"merge({new},"),
        Text("pyproject.toml", "", "[tool.whence.params.activity]", f"[tool.whence.params.{new}]"),
    ]
    if spoiled:
        edits.insert(0, Text(FEATURES, "activity", "zscore(amount) + 1.0", "zscore(amount) * 0.0"))
        edits.insert(
            1, Text(FEATURES, "activity", 'out["recent"] = weight', 'out["recent"] = weight * 0.0')
        )
    names = ("half_life", "winsor_sigma")
    params = {f"param:{n}.{p}" for n in ("activity", new) for p in names}
    ids = {code(FEATURES, n) for n in ("activity", new, "features")} | params
    return both(f"activity -> {new}", "structure", frozenset(ids), *edits)


def removed_channels(rng: Rng, spoiled: bool = True) -> Change:
    text = '    out = out.merge(channel_levels, on="channel", how="left")\n'
    edits = (
        Text(FEATURES, "features", "    channel_levels: pd.DataFrame,\n", ""),
        Text(
            FEATURES,
            "features",
            text,
            f"    out = out.assign(channel_level={float(rng.integers(0, 3))})\n",
        ),
    )
    ids = frozenset(code(FEATURES, n) for n in ("features", "channel_levels"))
    return both("channel_levels removed", "structure", ids, *edits)


def node_between(rng: Rng, spoiled: bool) -> Change:
    new = str(rng.choice(["members", "known_people", "active_people"]))
    body = (
        "people.assign(satisfaction=5.0, tickets=1.0)"
        if spoiled
        else "people.reset_index(drop=True)"
    )
    start = "@wh.table\ndef profile(\n"
    node = f'@wh.table(key="customer_id")\ndef {new}(people: pd.DataFrame) -> pd.DataFrame:\n    """Customers that are described."""\n    return {body}\n\n\n'
    edits = [
        Text(FEATURES, "profile", "    people: pd.DataFrame,", f"    {new}: pd.DataFrame,"),
        Text(FEATURES, "profile", "people.merge(tariffs", f"{new}.merge(tariffs"),
        Text(FEATURES, "", start, node + start),
    ]
    ids = frozenset(code(FEATURES, n) for n in ("profile", new))
    return both(f"{new} between", "structure", ids, *edits)


def split_levels(rng: Rng, spoiled: bool) -> Change:
    new = str(rng.choice(["region_scores", "region_index"]))
    value = "1.0" if spoiled else 'region_levels["region_level"] * 10.0'
    start = "@wh.table\ndef features(\n"
    node = f'@wh.table(key="region")\ndef {new}(region_levels: pd.DataFrame) -> pd.DataFrame:\n    """Levels in another unit."""\n    return region_levels.assign(region_level={value})\n\n\n'
    edits = [
        Text(FEATURES, "features", "    region_levels: pd.DataFrame,", f"    {new}: pd.DataFrame,"),
        Text(FEATURES, "features", "merge(region_levels,", f"merge({new},"),
        Text(FEATURES, "", start, node + start),
    ]
    ids = frozenset(code(FEATURES, n) for n in ("features", new))
    return both(f"{new} added", "structure", ids, *edits)


def benign(rng: Rng) -> list[Change]:
    """All benign changes that could be made, in random order; their ids may collide."""
    scale = f"{rng.uniform(2, 50):.1f}"
    found = refactors("subscriptions", rng)
    found += [
        settings_field("subscriptions", rng),
        edit_code("price scaled", FEATURES, "log_price", ("np.log1p(price)", f"np.log1p(price) * {scale}"), guilty=False),
        edit_code("channel_level scaled", FEATURES, "channel_levels", ("means.to_numpy()", f"means.to_numpy() * {scale}"), guilty=False),
        edit_code("region_level scaled", FEATURES, "region_levels", ("means.to_numpy()", f"means.to_numpy() + {scale}"), guilty=False),
        edit_code("items counted from zero", TABLES, "purchases", ('astype("float64")', 'astype("float64") - 1.0'), guilty=False),
        set_param("chunk_rows", "profile.chunk_rows", 20000, int(rng.integers(10, 99)) * 100, guilty=False),
        version_only("tidykit", "outliers.py", "fill_gaps"),
        version_only("groupkit", "levels.py", "shrunken_means"),
        column_change("orders", ORDERS, "courier", str(rng.choice(["redrawn", "added", "reordered"])), rng),
        column_change("customers", CUSTOMERS, "newsletter", str(rng.choice(["redrawn", "added"])), rng),
        refresh("customers", CUSTOMERS, "tenure_days", rng),
        column_change("plans", PLANS, "launched", str(rng.choice(["redrawn", "added"])), rng),
        refresh("plans", PLANS, "price", rng),
    ]  # fmt: skip
    return [found[i] for i in rng.permutation(len(found))]


LIBRARY = Library(
    domain="subscriptions",
    metric="mae",
    killers=KILLERS,
    others=OTHERS,
    partitions=[bad_quarters, bad_region],
    weak=weak_faults(),
    pairs=pairs(),
    triples=triples(),
    migrations=[
        amount_in_cents,
        means_renamed,
        renamed("customers", CUSTOMERS, "satisfaction", "people", "customers", " * 0.0"),
        renamed("customers", CUSTOMERS, "tenure_days", "people", "customers", ".clip(upper=3)"),
        renamed("customers", CUSTOMERS, "region", "people", "customers", ".str[:0]"),
    ],
    structures=[
        lambda rng: renamed_activity(rng, True),
        removed_channels,
        lambda rng: node_between(rng, True),
        lambda rng: split_levels(rng, True),
    ],
    quiet_structures=[
        lambda rng: renamed_activity(rng, False),
        lambda rng: node_between(rng, False),
        lambda rng: split_levels(rng, False),
    ],
    benign=benign,
)
