// `npm run conformance:components`: upstream's own scheduler and controller manager, unmodified, work against a cluster of
// ours. They are the most demanding clients of client-go there are. Our own controllers of the same names are left out.
import { deployment } from '../src/manifests.ts'
import { runCommand } from '../src/command.ts'
import { eventually } from '../src/context.ts'
import { startBench } from '../src/suite.ts'
import { runControllers, runScheduler } from './component.ts'

const schedulerName = 'upstream-scheduler'
const controllers = ['statefulset', 'daemonset', 'cronjob', 'disruption', 'resourcequota', 'horizontal-pod-autoscaler']
const leftOut = controllers.filter((name) => name !== 'horizontal-pod-autoscaler').map((name) => `-${name}-controller`)
/** A rollout of a few simulated pods takes seconds; a CronJob's first minute up to sixty. */
const stepTimeoutMs = 90_000

const say = (line: string): void => void process.stdout.write(`${line}\n`)

const labelled = (app: string, more: object = {}): object => {
  const { selector, template } = deployment(app, 1)['spec']
  return { selector, template: { ...template, spec: { ...template.spec, ...more } } }
}

const objects = [
  {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db' },
    spec: { serviceName: 'db', replicas: 3, ...labelled('db', { schedulerName }) },
  },
  { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name: 'agent' }, spec: labelled('agent') },
  {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'tick' },
    spec: {
      schedule: '* * * * *',
      jobTemplate: {
        spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'b' }] } } },
      },
    },
  },
  {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'db' },
    spec: { minAvailable: 2, selector: { matchLabels: { app: 'db' } } },
  },
  { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'quota' }, spec: { hard: { pods: '50' } } },
]

const running = await startBench('embedded', ['--controllers', ['*', ...leftOut].join(',')])
const { kubeconfig } = running.cluster
const kubectl = async (...args: readonly string[]): Promise<string> => {
  const options = {
    timeoutMs: stepTimeoutMs,
    stdin: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
  }
  const result = await runCommand(running.tools.kubectl, ['--kubeconfig', kubeconfig, ...args], options)
  if (result.code !== 0) throw new Error(`${result.command}: ${result.stderr || result.stdout}`)
  return result.stdout
}
const shows = (wanted: string, ...args: readonly string[]): Promise<void> =>
  eventually(async () => {
    const found = await kubectl(...args)
    if (found !== wanted) throw new Error(`kubectl ${args.join(' ')} shows ${found}, not ${wanted}`)
  }, stepTimeoutMs)
const jsonpath = (path: string): string => `-o=jsonpath={${path}}`

const steps: Readonly<Record<string, () => Promise<unknown>>> = {
  'a StatefulSet comes up in order, placed by the upstream scheduler': async () => {
    await kubectl('apply', '-f', '-')
    await kubectl('rollout', 'status', 'statefulset/db', '--timeout=60s')
    await shows('db-0 db-1 db-2', 'get', 'pods', '-l', 'app=db', jsonpath('.items[*].metadata.name'))
    const by = jsonpath('.items[?(@.reason=="Scheduled")].reportingComponent')
    await shows(schedulerName, 'get', 'events', '--field-selector=involvedObject.name=db-0', by)
  },
  'a DaemonSet runs on every node': () => shows('3', 'get', 'daemonset/agent', jsonpath('.status.numberReady')),
  'a CronJob starts Jobs, which our controller runs to their end': () =>
    eventually(async () => {
      const done = await kubectl('get', 'jobs', jsonpath('.items[*].status.succeeded'))
      if (!done.startsWith('1')) throw new Error('no Job of the CronJob has succeeded')
    }, stepTimeoutMs),
  'a disruption budget allows one disruption': () =>
    shows('1', 'get', 'poddisruptionbudget/db', jsonpath('.status.disruptionsAllowed')),
  'a quota counts pods': () =>
    eventually(async () => {
      const used = Number(await kubectl('get', 'resourcequota/quota', jsonpath('.status.used.pods')))
      if (!(used >= 6)) throw new Error(`the quota counts ${used} pods`)
    }, stepTimeoutMs),
  'StatefulSet and DaemonSet roll to a new template': async () => {
    await kubectl('rollout', 'restart', 'statefulset/db', 'daemonset/agent')
    await kubectl('rollout', 'status', 'statefulset/db', '--timeout=60s')
    await kubectl('rollout', 'status', 'daemonset/agent', '--timeout=60s')
  },
  'a drain evicts within the budget, and what was evicted comes back elsewhere': async () => {
    await kubectl('drain', 'node-0', '--ignore-daemonsets', '--force', '--timeout=60s')
    await shows('3', 'get', 'statefulset/db', jsonpath('.status.readyReplicas'))
  },
  'all of it goes when it is deleted': async () => {
    await kubectl('delete', 'statefulset/db', 'daemonset/agent', 'cronjob/tick', 'poddisruptionbudget/db')
    await shows('', 'get', 'pods', jsonpath('.items[*].metadata.name'))
  },
}

const components = [
  await runScheduler(kubeconfig, schedulerName, say),
  await runControllers(
    kubeconfig,
    controllers.map((name) => `${name}-controller`),
    say,
  ),
]
let failed = 0
try {
  for (const [step, run] of Object.entries(steps)) {
    await run().then(
      () => say(`ok     ${step}`),
      (error: Error) => {
        failed++
        say(`FAILED ${step}\n         ${error.message}`)
      },
    )
  }
  if (failed > 0) for (const component of components) say(component.output().slice(-3_000))
  say(`${Object.keys(steps).length - failed} passed, ${failed} failed`)
  process.exitCode = failed === 0 ? 0 : 1
} finally {
  for (const component of components) await component.stop()
  await running.close()
}
