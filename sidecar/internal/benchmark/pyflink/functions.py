"""What the Go functions of `scripts/bench udf` do (udf-bridge/internal/subject/bench), for PyFlink."""
import json

from pyflink.table import DataTypes
from pyflink.table.udf import udf


@udf(result_type=DataTypes.BIGINT())
def plus_one(n):
    return n + 1


@udf(result_type=DataTypes.STRING())
def process_json(event):
    order = json.loads(event)
    items = order["items"]
    total = 0.0
    for item in items:
        total += item["price"] * item["quantity"]
    off = abs(order["amount"] - total)
    return json.dumps({"id": order["id"], "score": off / (off + total + 1), "items": len(items)})
