//! What every program beside this one does (../README.md), with kube-rs.
use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::{apps::v1::Deployment, coordination::v1::Lease, core::v1::ConfigMap, core::v1::Pod};
use kube::{
    Client, ResourceExt,
    api::{Api, DeleteParams, EvictParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::{Value, json};

const ME: &str = "kube-rs";

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn say(line: &Value) {
    println!("{line}");
}

fn config_map(name: &str, labels: Value, data: Value) -> Outcome<ConfigMap> {
    Ok(serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}, "data": data}))?)
}

async fn list(config_maps: &Api<ConfigMap>) -> Outcome<Value> {
    for i in 0..5 {
        let object = config_map(&format!("page-{i}"), json!({"page": "yes"}), json!({}))?;
        config_maps.create(&PostParams::default(), &object).await?;
    }
    let (mut names, mut pages) = (Vec::new(), 0);
    let mut asked = ListParams::default().labels("page=yes").limit(2);
    loop {
        let page = config_maps.list(&asked).await?;
        names.extend(page.items.iter().map(ResourceExt::name_any));
        pages += 1;
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => asked = asked.continue_token(&token),
            None => return Ok(json!({"names": names, "pages": pages})),
        }
    }
}

async fn watch(config_maps: &Api<ConfigMap>) -> Outcome<Value> {
    let all = config_maps.list(&ListParams::default()).await?;
    let version = all.metadata.resource_version.unwrap_or_default();
    let mut watching = config_maps.watch(&WatchParams::default().labels("watched=yes"), &version).await?.boxed();
    let object = config_map("watched", json!({"watched": "yes"}), json!({}))?;
    let mut created = config_maps.create(&PostParams::default(), &object).await?;
    created.data = Some(BTreeMap::from([("a".to_owned(), "b".to_owned())]));
    config_maps.replace("watched", &PostParams::default(), &created).await?;
    config_maps.delete("watched", &DeleteParams::default()).await?;
    let mut events = Vec::new();
    while let Some(event) = watching.try_next().await? {
        match event {
            WatchEvent::Added(object) => events.push(format!("ADDED {}", object.name_any())),
            WatchEvent::Modified(object) => events.push(format!("MODIFIED {}", object.name_any())),
            WatchEvent::Deleted(object) => {
                events.push(format!("DELETED {}", object.name_any()));
                break;
            }
            WatchEvent::Bookmark(_) => {}
            WatchEvent::Error(error) => return Err(format!("{error:?}").into()),
        }
    }
    Ok(json!({"events": events}))
}

async fn patches(config_maps: &Api<ConfigMap>, deployments: &Api<Deployment>) -> Outcome<Value> {
    let (plain, post) = (PatchParams::default(), PostParams::default());
    config_maps.create(&post, &config_map("patched", json!({}), json!({"start": "0"}))?).await?;
    let first = serde_json::from_value(json!([{"op": "add", "path": "/data/json", "value": "1"}]))?;
    config_maps.patch("patched", &plain, &Patch::<ConfigMap>::Json(first)).await?;
    let second = json!({"data": {"merge": "2", "start": null}});
    config_maps.patch("patched", &plain, &Patch::Merge(second)).await?;
    let deployment: Deployment = serde_json::from_value(json!({
        "metadata": {"name": "patched"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "patched"}},
            "template": {
                "metadata": {"labels": {"app": "patched"}},
                "spec": {"containers": [{"name": "a", "image": "x:1"}]},
            },
        },
    }))?;
    deployments.create(&post, &deployment).await?;
    let third = json!({"spec": {"template": {"spec": {"containers": [{"name": "b", "image": "y:1"}]}}}});
    deployments.patch("patched", &plain, &Patch::Strategic(third)).await?;
    Ok(json!({}))
}

async fn apply(config_maps: &Api<ConfigMap>) -> Outcome<Value> {
    let wanted = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": {"apply": "3"}});
    for _ in 0..2 {
        config_maps.patch("applied", &PatchParams::apply(ME).force(), &Patch::Apply(&wanted)).await?;
    }
    Ok(json!({}))
}

async fn evict(pods: &Api<Pod>) -> Outcome<Value> {
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "evicted"},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "main", "image": "registry.k8s.io/pause:3.10"}],
        },
    }))?;
    pods.create(&PostParams::default(), &pod).await?;
    while pods.get("evicted").await?.status.and_then(|status| status.phase).as_deref() != Some("Running") {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    pods.evict("evicted", &EvictParams::default()).await?;
    while pods.get_opt("evicted").await?.is_some() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(json!({}))
}

/// This client has no leader election: a Lease as one would keep it.
async fn lease(leases: &Api<Lease>) -> Outcome<Value> {
    let post = PostParams::default();
    let wanted: Lease = serde_json::from_value(json!({
        "metadata": {"name": "leader"},
        "spec": {"holderIdentity": ME, "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"},
    }))?;
    let stale = leases.create(&post, &wanted).await?;
    let mut renewed = stale.clone();
    renewed.spec.as_mut().ok_or("no spec")?.lease_transitions = Some(1);
    leases.replace("leader", &post, &renewed).await?;
    match leases.replace("leader", &post, &stale).await {
        Err(kube::Error::Api(refused)) => Ok(json!({"conflict": refused.code})),
        other => Err(format!("an update with an old version: {other:?}").into()),
    }
}

async fn delete_collection(config_maps: &Api<ConfigMap>) -> Outcome<Value> {
    let deleted = config_maps.delete_collection(&DeleteParams::default(), &ListParams::default().labels("page=yes")).await?;
    // The list of what was deleted, or a Status while it is still on its way.
    Ok(json!({"deleted": deleted.left().map(|list| list.items.len())}))
}

async fn inform(config_maps: Api<ConfigMap>) -> Outcome<()> {
    let mut held: BTreeMap<String, String> = BTreeMap::new();
    let mut events = watcher(config_maps, watcher::Config::default().labels("ledger=yes")).default_backoff().boxed();
    while !held.contains_key("end") {
        let Some(event) = events.next().await else { return Err("the watcher ended".into()) };
        // What fails is tried again by the next poll, after the backoff.
        let Ok(event) = event else { continue };
        match event {
            watcher::Event::Apply(object) | watcher::Event::InitApply(object) => {
                let (name, version) = (object.name_any(), object.resource_version().unwrap_or_default());
                let event = if held.insert(name.clone(), version.clone()).is_some() { "update" } else { "add" };
                say(&json!({"event": event, "name": name, "version": version}));
            }
            watcher::Event::Delete(object) => {
                let (name, version) = (object.name_any(), object.resource_version());
                held.remove(&name);
                say(&json!({"event": "delete", "name": name, "version": version}));
            }
            watcher::Event::Init | watcher::Event::InitDone => {}
        }
    }
    say(&json!({"cache": held}));
    Ok(())
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let namespace = std::env::args().nth(1).ok_or("no namespace")?;
    let client = Client::try_default().await?;
    let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    let step = |name: &str, mut said: Value| {
        said["step"] = json!(name);
        say(&said);
    };
    step("list", list(&config_maps).await?);
    step("watch", watch(&config_maps).await?);
    step("patches", patches(&config_maps, &Api::namespaced(client.clone(), &namespace)).await?);
    step("apply", apply(&config_maps).await?);
    step("evict", evict(&Api::namespaced(client.clone(), &namespace)).await?);
    step("lease", lease(&Api::namespaced(client, &namespace)).await?);
    step("deletecollection", delete_collection(&config_maps).await?);
    inform(config_maps).await?;
    say(&json!({"done": true}));
    Ok(())
}
