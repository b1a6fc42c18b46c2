// The queries of docs/sql.md, which a test compares.

export const examples: readonly { readonly title: string; readonly query: string }[] = [
  {
    title: 'Pods that are not well, and why',
    query: `select namespace, name, phase, restarts,
  coalesce(waiting_reason, reason,
    jsonb_path_query_first(conditions, '$[*] ? (@.status == "False").message') #>> '{}') as why
from v1.pods
where phase not in ('Running', 'Succeeded') or not coalesce(ready, false)
order by created_at`,
  },
  {
    title: 'Which images run, and how often',
    query: `select image, count(*) as pods, array_agg(distinct namespace) as namespaces
from v1.pods, jsonb_array_elements_text(images) image
group by image
order by pods desc`,
  },
  {
    title: 'How full the nodes are',
    query: `select n.name, n.allocatable_cpu, coalesce(sum(p.cpu_requests), 0) as requested_cpu,
  round(100 * coalesce(sum(p.cpu_requests), 0) / n.allocatable_cpu, 1) as percent, count(p.name) as pods
from v1.nodes n
left join v1.pods p on p.node_name = n.name and p.phase in ('Pending', 'Running')
group by n.name, n.allocatable_cpu
order by percent desc`,
  },
  {
    title: 'Who changed what in the last hour',
    query: `select valid_from, actor, event_type, group_resource, namespace, name
from v1.history
where valid_from > now() - interval '1 hour' and actor not like 'system:%'
order by sequence desc
limit 50`,
  },
  {
    title: 'The story of one object, also after its deletion',
    query: `select sequence, valid_from, event_type, actor, cause, replicas, ready_replicas, images
from v1.deployments_history
where namespace = 'default' and name = 'web'
order by sequence`,
  },
  {
    title: 'What was deleted, by whom, and what it looked like',
    query: `select valid_from as deleted_at, actor, group_resource, namespace, name, object -> 'data' as data, object -> 'spec' as spec
from v1.history
where deleted and group_resource in ('configmaps', 'secrets', 'services', 'deployments.apps')
order by sequence desc`,
  },
  {
    title: 'What is there now that was not, or not like that, ten minutes ago',
    query: `select o.group_resource, o.namespace, o.name, case when h.name is null then 'new' else 'changed' end as what
from v1.objects o
left join v1.as_of(now() - interval '10 minutes') h using (group_resource, namespace, name)
where o.group_resource not in ('leases.coordination.k8s.io', 'events') and o.sequence is distinct from h.sequence
order by 1, 2, 3`,
  },
  {
    title: 'How long pods took from their creation to their node, and to Ready',
    query: `select namespace, name,
  min(valid_from) filter (where node_name is not null) - min(valid_from) as to_node,
  min(valid_from) filter (where ready) - min(valid_from) as to_ready
from v1.pods_history
group by namespace, name, uid
order by to_ready desc nulls first`,
  },
  {
    title: 'Who writes the log full',
    query: `select actor, group_resource, event_type, count(*) as events, pg_size_pretty(sum(length(payload))) as bytes
from v1.history
group by actor, group_resource, event_type
order by events desc
limit 20`,
  },
  {
    title: 'What came of one change: the events that it caused, and those that they caused',
    query: `with recursive story as (
  select sequence, 0 as depth from v1.deployments_history where name = 'web' and event_type = 'DeploymentCreated'
  union all
  select h.sequence, depth + 1 from story join v1.history h on h.cause = story.sequence where depth < 10
)
select depth, h.sequence, h.event_type, h.namespace, h.name, h.actor
from (select sequence, min(depth) as depth from story group by sequence) s join v1.history h using (sequence)
order by h.sequence`,
  },
  {
    title: 'ConfigMaps that no pod refers to',
    query: `select c.namespace, c.name, c.created_at
from v1.configmaps c
where not exists (
  select from v1.pods p
  where p.namespace = c.namespace
    and (jsonb_path_exists(p.volumes, '$[*].configMap ? (@.name == $name)', jsonb_build_object('name', c.name))
      or jsonb_path_exists(p.containers, '$[*].envFrom[*].configMapRef ? (@.name == $name)', jsonb_build_object('name', c.name))
      or jsonb_path_exists(p.containers, '$[*].env[*].valueFrom.configMapKeyRef ? (@.name == $name)', jsonb_build_object('name', c.name))))
order by 1, 2`,
  },
  {
    title: 'Pods that could not be placed, and how often that was tried',
    query: `select namespace, pod, count(*) as attempts, max(recorded_at) as last
from v1.scheduling_attempts
group by namespace, pod
order by attempts desc`,
  },
]
