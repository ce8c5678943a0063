"""Create for Compose what Terraform creates on AWS: the bucket, and a queue for its events."""

import json
import os
from urllib.parse import urlsplit

import boto3

lake = urlsplit(os.environ["TICKERLAKE_LAKE"])
prefix = lake.path.strip("/")
s3, sqs = boto3.client("s3"), boto3.client("sqs")

s3.create_bucket(Bucket=lake.netloc)


def queue(name: str, **attributes: str) -> tuple[str, str]:
    """Create a queue, and return its URL and its ARN."""
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return url, answer["Attributes"]["QueueArn"]


_, dead = queue("tickerlake-runs-dead")
_, runs = queue(
    "tickerlake-runs",
    VisibilityTimeout="60",
    RedrivePolicy=json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": 5}),
)
rules = [
    {"Name": "prefix", "Value": f"{prefix}/raw/_runs/".lstrip("/")},
    {"Name": "suffix", "Value": ".json"},
]
s3.put_bucket_notification_configuration(
    Bucket=lake.netloc,
    NotificationConfiguration={
        "QueueConfigurations": [
            {
                "QueueArn": runs,
                "Events": ["s3:ObjectCreated:*"],
                "Filter": {"Key": {"FilterRules": rules}},
            }
        ]
    },
)
