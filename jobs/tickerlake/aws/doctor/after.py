"""Doctor after an apply: whether what was deployed would be heard when something fails."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from botocore.exceptions import ClientError

from tickerlake import logs
from tickerlake.aws.doctor.terraform import Clients, Deployment
from tickerlake.diagnosis import UNKNOWN, Check, Finding, failed, ok, warning

LOOK_BACK: Final = timedelta(days=1)
LISTENER: Final = "-doctor"
"""How the name of the queue ends that `failure` subscribes for a while."""

PENDING: Final = ("PendingConfirmation", "pending confirmation")


def checks(deployment: Deployment, client: Clients) -> list[Check]:
    """Return the checks of what was deployed that start nothing."""
    always = [
        Check("schedule", partial(schedule, deployment, client)),
        Check("dead letters", partial(dead_letters, deployment, client)),
    ]
    if not deployment.outputs["alarm_topic_arn"]:
        return [*always, Check("alarms", unmonitored)]
    return [
        *always,
        Check("alarms", partial(alarms, deployment, client)),
        Check("alarms' queries", partial(queries, deployment, client)),
        Check("log filters", partial(log_filters, deployment, client)),
        Check("failed jobs' rule", partial(rule, deployment, client)),
        Check("subscriptions", partial(subscriptions, deployment, client)),
    ]


def unmonitored() -> Finding:
    """Say that nobody will hear of a failure."""
    return warning("there are none: monitoring is off", "Set monitoring = true and email")


def schedule(deployment: Deployment, client: Clients) -> Finding:
    """Check that the schedule is on."""
    found = client("scheduler").get_schedule(Name=deployment.outputs["schedule"])
    saw = f"{found['ScheduleExpression']} in {found.get('ScheduleExpressionTimezone', 'UTC')}"
    if found["State"] != "ENABLED":
        return warning(f"{saw}, off", "Set schedule_enabled = true, unless you extract elsewhere")
    return ok(saw)


def dead_letters(deployment: Deployment, client: Clients) -> Finding:
    """Check that no event and no failure was given up."""
    sqs = client("sqs")
    held = {}
    for url in deployment.outputs["dead_letter_queues"].values():
        answer = sqs.get_queue_attributes(
            QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
        )
        held[url.rpartition("/")[2]] = int(answer["Attributes"]["ApproximateNumberOfMessages"])
    saw = ", ".join(f"{name}: {count}" for name, count in held.items())
    if any(held.values()):
        return failed(
            saw, "Read the messages, start the job by hand, then purge the queue (docs/deploy.md)"
        )
    return ok(saw)


def alarms(deployment: Deployment, client: Clients) -> Finding:
    """Check that every alarm would be heard, and that none has gone off."""
    found = _alarms(deployment, client)
    if not found:
        return failed("there are none", "Apply again")
    topic = deployment.outputs["alarm_topic_arn"]
    deaf = [
        each["AlarmName"]
        for each in found
        if not each["ActionsEnabled"] or topic not in each["AlarmActions"]
    ]
    if deaf:
        return failed(f"{', '.join(deaf)} tell nobody", "Apply again; enable the alarms' actions")
    gone_off = [
        f"{each['AlarmName']} ({each.get('StateReason', '')})"
        for each in found
        if each["StateValue"] == "ALARM"
    ]
    if gone_off:
        return warning(
            f"in alarm: {', '.join(gone_off)}",
            "See the table in docs/deploy.md, 'When something fails'; no-manifest is in alarm until"
            " the first run",
        )
    return ok(f"{len(found)} alarms, none in alarm")


def queries(deployment: Deployment, client: Clients) -> Finding:
    """Ask CloudWatch what each alarm asks; a query with a mistake in it never sets one off."""
    found = _alarms(deployment, client)
    asking = [each for each in found if each.get("Metrics") or each.get("MetricName")]
    mute = [each["AlarmName"] for each in found if each not in asking]
    wrong, points = [], 0
    for alarm in asking:
        count, problems = _tried(alarm, client)
        points += count
        wrong += [f"{alarm['AlarmName']}: {problem}" for problem in problems]
    if wrong:
        return failed("; ".join(wrong), "Apply again; if it stays so, please report it")
    saw = f"{len(asking)} of {len(found)} queries answered, with {points} values in the last day"
    return warning(f"{saw}; {', '.join(mute)} can't be read", UNKNOWN) if mute else ok(saw)


def _tried(alarm: dict[str, Any], client: Clients) -> tuple[int, list[str]]:
    """Do the same as `_asked`; a query that CloudWatch refuses is one with a mistake in it."""
    try:
        return _asked(alarm, client)
    except ClientError as error:
        if error.response["Error"]["Code"].startswith("AccessDenied"):
            raise
        return 0, [str(error)]


def _asked(alarm: dict[str, Any], client: Clients) -> tuple[int, list[str]]:
    """Ask an alarm's query; return how many values it has, and what is wrong with it."""
    now = datetime.now(UTC)
    answer = client("cloudwatch").get_metric_data(
        MetricDataQueries=_queries(alarm), StartTime=now - LOOK_BACK, EndTime=now
    )
    results = answer["MetricDataResults"]
    problems = [each["Value"] for each in answer.get("Messages", [])]
    problems += [
        f"{each['Id']} is {each['StatusCode']}"
        for each in results
        if each.get("StatusCode", "Complete") not in ("Complete", "PartialData")
    ]
    points = sum(len(each["Values"]) for each in results)
    # math over a constant series has a value for every hour, whatever has happened
    if alarm.get("Metrics") and not points:
        problems.append("it has no values")
    return points, problems


def _alarms(deployment: Deployment, client: Clients) -> list[dict[str, Any]]:
    pages = client("cloudwatch").get_paginator("describe_alarms")
    prefix = f"{deployment.inputs['name']}-"
    return [
        each for page in pages.paginate(AlarmNamePrefix=prefix) for each in page["MetricAlarms"]
    ]


def _queries(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    if alarm.get("Metrics"):
        found: list[dict[str, Any]] = alarm["Metrics"]
        return found
    metric = {
        "Namespace": alarm["Namespace"],
        "MetricName": alarm["MetricName"],
        "Dimensions": alarm.get("Dimensions", []),
    }
    stat = {"Metric": metric, "Period": alarm["Period"], "Stat": alarm["Statistic"]}
    return [{"Id": "alarm", "MetricStat": stat}]


def log_filters(deployment: Deployment, client: Clients) -> Finding:
    """Check that the filters of the jobs' log match the lines that the jobs write."""
    logs_client, group = client("logs"), deployment.outputs["job_logs"]["output"]
    filters = logs_client.describe_metric_filters(logGroupName=group)["metricFilters"]
    if not filters:
        return failed(f"{group} has none", "Apply again")
    bad, fine = line("a sample", failed=True), line("a sample", failed=False)
    deaf = [
        each["filterName"]
        for each in filters
        if not _matches(logs_client, each["filterPattern"], bad)
        or _matches(logs_client, each["filterPattern"], fine)
    ]
    if deaf:
        return failed(
            f"{', '.join(deaf)}: not the lines that mean a failure, and only those",
            "Apply again with the infra/ of this version",
        )
    return ok(f"{len(filters)} filters of {group} match our lines")


def _matches(logs_client: Any, pattern: str, text: str) -> bool:
    answer = logs_client.test_metric_filter(filterPattern=pattern, logEventMessages=[text])
    return bool(answer["matches"])


def line(message: str, *, failed: bool) -> str:
    """Return a line as a job logs it: an error that many tickers failed, or nothing of note."""
    level, extra = (
        (logging.ERROR, {"event": "many_tickers_failed"}) if failed else (logging.INFO, {})
    )
    record = logging.makeLogRecord(
        {"name": "tickerlake.app", "levelno": level, "levelname": logging.getLevelName(level)}
        | {"msg": message, **extra}
    )
    return logs.json_formatter().format(record)


def rule(deployment: Deployment, client: Clients) -> Finding:
    """Check that a failed job run would be published."""
    events, name = client("events"), f"{deployment.inputs['name']}-failed-jobs"
    found = events.describe_rule(Name=name)
    targets = {each["Arn"] for each in events.list_targets_by_rule(Rule=name)["Targets"]}
    if found["State"] != "ENABLED":
        return failed(f"{name} is off", f"aws events enable-rule --name {name}")
    if deployment.outputs["alarm_topic_arn"] not in targets:
        return failed(f"{name} does not lead to the topic of alarms", "Apply again")
    return ok(f"{name} publishes to the topic of alarms")


def subscriptions(deployment: Deployment, client: Clients) -> Finding:
    """Check that somebody has confirmed to get mail."""
    found = list(subscribed(deployment, client))
    pending = [end for end, is_confirmed in found if not is_confirmed]
    confirmed = [end for end, is_confirmed in found if is_confirmed]
    if pending:
        return failed(
            f"not confirmed: {', '.join(pending)}",
            "Click the link in the mail 'AWS Notification - Subscription Confirmation'; it may be"
            " in the spam",
        )
    if not confirmed:
        return warning("nobody is told", "Set email, apply, and confirm the subscription")
    return ok(f"confirmed: {', '.join(confirmed)}")


def subscribed(deployment: Deployment, client: Clients) -> Iterator[tuple[str, bool]]:
    """Yield who gets mail from the topic of alarms, and whether it was confirmed."""
    pages = client("sns").get_paginator("list_subscriptions_by_topic")
    for page in pages.paginate(TopicArn=deployment.outputs["alarm_topic_arn"]):
        for each in page["Subscriptions"]:
            if not each["Endpoint"].endswith(LISTENER):
                yield each["Endpoint"], each["SubscriptionArn"] not in PENDING
