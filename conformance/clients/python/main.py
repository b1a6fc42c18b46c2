"""What every program beside this one does (../README.md), with the official client for Python."""

import datetime
import json
import os
import sys
import threading
import time

from kubernetes import client, config, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.informer import SharedInformer
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.configmaplock import ConfigMapLock

ME = "python"
namespace = sys.argv[1]
config.load_kube_config()
core = client.CoreV1Api()
apps = client.AppsV1Api()
coordination = client.CoordinationV1Api()
saying = threading.Lock()


def say(**line):
    with saying:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def list_pages():
    for i in range(5):
        core.create_namespaced_config_map(
            namespace, {"metadata": {"name": f"page-{i}", "labels": {"page": "yes"}}}
        )
    names, pages, token = [], 0, None
    while True:
        page = core.list_namespaced_config_map(namespace, label_selector="page=yes", limit=2, _continue=token)
        names += [item.metadata.name for item in page.items]
        pages += 1
        token = page.metadata._continue
        if not token:
            return {"names": names, "pages": pages}


def watch_events():
    version = core.list_namespaced_config_map(namespace).metadata.resource_version

    def change():
        created = core.create_namespaced_config_map(
            namespace, {"metadata": {"name": "watched", "labels": {"watched": "yes"}}}
        )
        created.data = {"a": "b"}
        core.replace_namespaced_config_map("watched", namespace, created)
        core.delete_namespaced_config_map("watched", namespace)

    threading.Timer(0.3, change).start()
    events = []
    watching = watch.Watch()
    for event in watching.stream(
        core.list_namespaced_config_map,
        namespace,
        label_selector="watched=yes",
        resource_version=version,
        timeout_seconds=30,
    ):
        events.append(f"{event['type']} {event['object'].metadata.name}")
        if event["type"] == "DELETED":
            watching.stop()
    return {"events": events}


def patches():
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "patched"}, "data": {"start": "0"}})
    # The client chooses the kind of patch by the body: a list is a JSON patch.
    core.patch_namespaced_config_map("patched", namespace, [{"op": "add", "path": "/data/json", "value": "1"}])
    core.patch_namespaced_config_map(
        "patched",
        namespace,
        {"data": {"merge": "2", "start": None}},
        _content_type="application/merge-patch+json",
    )
    labels = {"app": "patched"}
    container = {"name": "a", "image": "x:1"}
    apps.create_namespaced_deployment(
        namespace,
        {
            "metadata": {"name": "patched"},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            },
        },
    )
    apps.patch_namespaced_deployment(
        "patched",
        namespace,
        {"spec": {"template": {"spec": {"containers": [{"name": "b", "image": "y:1"}]}}}},
        _content_type="application/strategic-merge-patch+json",
    )
    return {}


def apply():
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": {"apply": "3"}}
    for _ in range(2):
        core.patch_namespaced_config_map(
            "applied",
            namespace,
            body,
            field_manager=ME,
            force=True,
            _content_type="application/apply-patch+yaml",
        )
    return {}


def evict():
    core.create_namespaced_pod(
        namespace,
        {
            "metadata": {"name": "evicted"},
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "containers": [{"name": "main", "image": "registry.k8s.io/pause:3.10"}],
            },
        },
    )
    while core.read_namespaced_pod("evicted", namespace).status.phase != "Running":
        time.sleep(0.05)
    core.create_namespaced_pod_eviction(
        "evicted", namespace, client.V1Eviction(metadata=client.V1ObjectMeta(name="evicted", namespace=namespace))
    )
    while True:
        try:
            core.read_namespaced_pod("evicted", namespace)
            time.sleep(0.05)
        except ApiException as error:
            if error.status == 404:
                return {}
            raise


def lease():
    """This client elects by a ConfigMap; a Lease is kept by hand beside it."""
    elected = threading.Event()
    # The election never ends by itself: its thread ends with the program.
    election = leaderelection.LeaderElection(
        electionconfig.Config(
            ConfigMapLock("election", namespace, ME),
            lease_duration=17,
            renew_deadline=15,
            retry_period=5,
            onstarted_leading=elected.set,
            onstopped_leading=None,
        )
    )
    threading.Thread(target=election.run, daemon=True).start()
    if not elected.wait(30):
        raise TimeoutError("nobody was elected")
    now = datetime.datetime.now(datetime.timezone.utc)
    spec = client.V1LeaseSpec(holder_identity=ME, lease_duration_seconds=15, acquire_time=now, renew_time=now)
    metadata = client.V1ObjectMeta(name="leader")
    created = coordination.create_namespaced_lease(namespace, client.V1Lease(metadata=metadata, spec=spec))
    stale = created.metadata.resource_version
    created.spec.renew_time = datetime.datetime.now(datetime.timezone.utc)
    coordination.replace_namespaced_lease("leader", namespace, created)
    created.metadata.resource_version = stale
    try:
        coordination.replace_namespaced_lease("leader", namespace, created)
    except ApiException as error:
        return {"conflict": error.status}
    return {}


def delete_collection():
    core.delete_collection_namespaced_config_map(namespace, label_selector="page=yes")
    return {}


def inform():
    ended = threading.Event()
    informer = SharedInformer(core.list_namespaced_config_map, namespace, label_selector="ledger=yes")

    def teller(event):
        def tell(found):
            metadata = found["metadata"] if isinstance(found, dict) else found.metadata
            name = metadata["name"] if isinstance(metadata, dict) else metadata.name
            version = metadata["resourceVersion"] if isinstance(metadata, dict) else metadata.resource_version
            say(event=event, name=name, version=version)
            if event == "add" and name == "end":
                ended.set()

        return tell

    for kind, event in (("ADDED", "add"), ("MODIFIED", "update"), ("DELETED", "delete")):
        informer.add_event_handler(kind, teller(event))
    informer.start()
    if not ended.wait(120):
        raise TimeoutError("the end was not seen")
    say(cache={item.metadata.name: item.metadata.resource_version for item in informer.cache.list()})
    informer.stop()


for name, step in (
    ("list", list_pages),
    ("watch", watch_events),
    ("patches", patches),
    ("apply", apply),
    ("evict", evict),
    ("lease", lease),
    ("deletecollection", delete_collection),
):
    say(step=name, **step())
inform()
say(done=True)
os._exit(0)
