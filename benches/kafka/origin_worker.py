"""A Kafka worker of the origin system's design, to measure against.

aiokafka reads the topic, each message is judged by scikit-learn (StandardScaler and a random forest
of 100 trees of depth 15 on ten features), and asyncpg writes what the origin wrote: a row of
`traffic_data` with the features as JSON, and one of `threat_predictions`, in a transaction. As in the
origin, offsets are committed by a timer, whether the work is done or not, and nothing is written to
Kafka; it kept no reasons. Both favour it.

It ends after `--messages` and prints what it took as one line of JSON.
"""

import argparse
import asyncio
import json
import pathlib
import sys
import time
import uuid

import asyncpg
import pandas
from aiokafka import AIOKafkaConsumer

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "peer"))
from server import FEATURES, THRESHOLD, Models  # noqa: E402

TABLES = """
CREATE TABLE traffic_data (id uuid PRIMARY KEY, created_at timestamptz NOT NULL DEFAULT now(),
    features jsonb NOT NULL, source text NOT NULL, batch_id uuid);
CREATE INDEX ON traffic_data (created_at);
CREATE TABLE threat_predictions (id uuid PRIMARY KEY,
    traffic_data_id uuid NOT NULL UNIQUE REFERENCES traffic_data,
    prediction_score float8 NOT NULL, is_attack boolean NOT NULL, threshold float8 NOT NULL,
    model_version text NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
"""


def judge(models, row):
    table = pandas.DataFrame([row])
    return float(models.detector.predict_proba(models.encode(table))[0, 1])


async def store(database, models, row, score):
    key = uuid.uuid4()
    async with database.transaction():
        await database.execute(
            "INSERT INTO traffic_data (id, features, source) VALUES ($1, $2, 'realtime')",
            key, json.dumps({name: row[name] for name in FEATURES}),
        )
        await database.execute(
            "INSERT INTO threat_predictions (id, traffic_data_id, prediction_score, is_attack, "
            "threshold, model_version) VALUES ($1, $2, $3, $4, $5, $6)",
            uuid.uuid4(), key, score, score > THRESHOLD, THRESHOLD, models.version,
        )


async def work(args, models):
    database = await asyncpg.connect(args.database)
    await database.execute(TABLES)
    consumer = AIOKafkaConsumer(
        args.topic, bootstrap_servers=args.brokers, group_id=args.group,
        auto_offset_reset="earliest", enable_auto_commit=True,
    )
    await consumer.start()
    done, begun, cpu = 0, None, 0.0
    async for message in consumer:
        if begun is None:
            begun, cpu = time.monotonic(), time.process_time()
        row = json.loads(message.value)
        await store(database, models, row, judge(models, row))
        done += 1
        if done == args.messages:
            break
    print(json.dumps({
        "messages": done, "seconds": time.monotonic() - begun, "cpu": time.process_time() - cpu,
    }), flush=True)
    await consumer.stop()
    await database.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--group", required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--messages", type=int, required=True)
    parser.add_argument("--train", required=True, help="CSV with a header, as tripline demo --write-csv writes it")
    args = parser.parse_args()
    models = Models(pandas.read_csv(args.train))
    print("trained", flush=True)
    sys.stdin.readline()
    asyncio.run(work(args, models))


if __name__ == "__main__":
    main()
