import json

register_args = (
    lambda value: json.dumps({"shop": value}),
    lambda data: json.loads(data)["shop"],
    "application/x-shop-json",
    "utf-8",
)
