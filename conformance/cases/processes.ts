// What a kubelet does for pods, seen with kubectl on a node whose pods are processes of this machine: the suite that runs
// these has such a node.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { get } from 'node:http'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type Any, type Case, type CaseContext, has, lacks, topic } from '../src/case.ts'
import { configMap, deployment, pod } from '../src/manifests.ts'

const docs = 'kubernetes.io/docs'
const lifecycle = `${docs}/concepts/workloads/pods/pod-lifecycle`
const probes = `${docs}/tasks/configure-pod-container/configure-liveness-readiness-startup-probes`

const onProcessNode = {
  nodeSelector: { 'shiplog.dev/runtime': 'process' },
  tolerations: [{ key: 'shiplog.dev/runtime', operator: 'Equal', value: 'process', effect: 'NoSchedule' }],
}
const shell = (name: string, script: string, more: Any = {}): Any => ({
  name,
  image: 'none',
  command: ['/bin/sh', '-c', script],
  ...more,
})
/** A pod that runs a shell script on the machine. */
const scripted = (name: string, script: string, container: Any = {}, spec: Any = {}): Any =>
  pod(name, { ...onProcessNode, restartPolicy: 'Never', containers: [shell('main', script, container)], ...spec })

const phase = async (t: CaseContext, name: string, wanted: string): Promise<void> =>
  void (await t.k(`wait --for=jsonpath={.status.phase}=${wanted} pod/${name} --timeout=60s`))
const ready = async (t: CaseContext, what: string): Promise<void> =>
  void (await t.k(`wait --for=condition=Ready ${what} --timeout=60s`))
const status = async (t: CaseContext, name: string): Promise<Any> =>
  (await t.get(`pod ${name}`)).status.containerStatuses[0]
const events = (t: CaseContext, name: string): Promise<string> =>
  t.k(`get events --field-selector involvedObject.name=${name}`)

/** Event objects are written beside everything else: they may come a moment later. */
const told = (t: CaseContext, name: string, ...patterns: readonly (RegExp | string)[]): Promise<void> =>
  t.eventually(async () => has(await events(t, name), ...patterns))

function freePort(): Promise<number> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.on('error', reject)
    server.listen(0, () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}

const bodyOf = (url: string): Promise<string> =>
  new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve(text))
    }).on('error', reject)
  })

/** A directory of the case on the machine, seen by its pods. */
const shared = (t: CaseContext): { path: string; volume: Any; mount: Any } => {
  const path = join(t.file('shared/.keep', ''), '..')
  mkdirSync(path, { recursive: true })
  return {
    path,
    volume: { name: 'shared', hostPath: { path, type: 'Directory' } },
    mount: { name: 'shared', mountPath: '/shared' },
  }
}

export const processCases: readonly Case[] = topic('processes', {
  'a-job-computes': {
    rows: ['I3'],
    source: `${docs}/concepts/workloads/controllers/job`,
    async run(t) {
      const template = {
        spec: { ...onProcessNode, restartPolicy: 'Never', containers: [shell('sum', 'echo $((20 + 22))')] },
      }
      await t.feed('apply -f -', { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'sum' }, spec: { template } })
      await t.k('wait --for=condition=Complete job/sum --timeout=60s')
      assert.equal(await t.k('logs job/sum'), '42\n')
      const [only] = (await t.get('pods')).items as Any[]
      const { state } = only.status.containerStatuses[0]
      assert.deepEqual([state.terminated.exitCode, state.terminated.reason], [0, 'Completed'])
    },
  },
  'a-deployment-serves-when-it-is-ready': {
    rows: ['I4'],
    source: `${probes}/#define-readiness-probes`,
    async run(t) {
      const port = await freePort()
      const program = `const begun = Date.now()
        require('http').createServer((q, s) => {
          s.statusCode = q.url === '/ready' && Date.now() - begun < 1500 ? 503 : 200
          s.end(process.env.GREETING + ' from ' + process.env.HOSTNAME)
        }).listen(Number(process.env.PORT))`
      const container = {
        image: 'none',
        command: [process.execPath, '-e', program],
        env: [
          { name: 'PORT', value: String(port) },
          { name: 'GREETING', value: 'hello' },
        ],
        ports: [{ name: 'http', containerPort: port }],
        readinessProbe: { httpGet: { path: '/ready', port: 'http' }, periodSeconds: 1 },
      }
      const manifest = deployment('web', 1, {}, container)
      Object.assign(manifest.spec.template.spec, onProcessNode)
      await t.feed('apply -f -', manifest)
      await t.k('rollout status deployment/web --timeout=60s')
      const [only] = (await t.get('pods')).items as Any[]
      assert.equal(await bodyOf(`http://${only.status.podIP}:${port}/`), `hello from ${only.metadata.name}`)
      await told(
        t,
        only.metadata.name,
        /Unhealthy .*Readiness probe failed: HTTP probe failed with statuscode: 503|Readiness probe failed: .*connection refused/,
      )
      await t.k('delete deployment web')
      await t.eventually(async () => {
        await assert.rejects(bodyOf(`http://${only.status.podIP}:${port}/`))
      })
    },
  },
  'a-crash-loop-backs-off': {
    rows: ['I6'],
    source: `${lifecycle}/#container-restarts`,
    async run(t) {
      await t.feed('apply -f -', scripted('p', 'echo again; exit 7', {}, { restartPolicy: 'Always' }))
      await t.eventually(async () => has(await t.k('get pod p'), /CrashLoopBackOff +1 /))
      const { state, lastState, restartCount } = await status(t, 'p')
      assert.equal(restartCount, 1)
      assert.deepEqual([lastState.terminated.exitCode, lastState.terminated.reason], [7, 'Error'])
      has(state.waiting.message, /^back-off 10s restarting failed container=main pod=p_/)
      assert.equal(await t.k('logs p'), 'again\n')
      await told(t, 'p', 'Back-off restarting failed container main in pod p_')
    },
  },
  'a-deletion-gives-time': {
    rows: ['I5'],
    source: `${lifecycle}/#pod-termination`,
    async run(t) {
      const { path, volume, mount } = shared(t)
      const script = "trap 'sleep 0.5; echo done > shared/end; exit 0' TERM; echo up; while :; do sleep 0.1; done"
      await t.feed('apply -f -', {
        ...scripted('p', script, { volumeMounts: [mount] }, { volumes: [volume], terminationGracePeriodSeconds: 20 }),
      })
      await ready(t, 'pod/p')
      await t.eventually(async () => has(await t.k('logs p'), 'up'))
      await t.k('delete pod p --timeout=60s')
      assert.equal(readFileSync(join(path, 'end'), 'utf8'), 'done\n')
    },
  },
  'who-does-not-listen-is-killed': {
    rows: ['I5'],
    source: `${lifecycle}/#pod-termination`,
    async run(t) {
      const script = "trap '' TERM; echo $$$$; while :; do sleep 0.1; done"
      await t.feed('apply -f -', scripted('p', script, {}, { terminationGracePeriodSeconds: 1 }))
      const pid = Number(
        await t.eventually(async () => {
          const printed = await t.k('logs p')
          has(printed, /\d/)
          return printed
        }),
      )
      assert.ok(existsSync(`/proc/${pid}`))
      const begun = Date.now()
      await t.k('delete pod p --timeout=60s')
      assert.ok(Date.now() - begun >= 900)
      assert.ok(!existsSync(`/proc/${pid}`), 'the process is still there')
    },
  },
  'a-forced-deletion-leaves-nothing': {
    rows: ['I5'],
    source: `${lifecycle}/#pod-termination-forced`,
    async run(t) {
      const script = "trap '' TERM; setsid sleep 1000 & echo $!; while :; do sleep 0.1; done"
      await t.feed('apply -f -', scripted('p', script))
      const pid = Number(
        await t.eventually(async () => {
          const printed = await t.k('logs p')
          has(printed, /\d/)
          return printed
        }),
      )
      await t.k('delete pod p --force --grace-period=0')
      await t.eventually(async () => assert.ok(!existsSync(`/proc/${pid}`), 'a process is still there'))
    },
  },
  'a-config-map-reaches-environment-and-files': {
    rows: ['I8', 'I9'],
    source: `${docs}/concepts/configuration/configmap/#mounted-configmaps-are-updated-automatically`,
    async run(t) {
      await t.feed('apply -f -', configMap('settings', { color: 'red', 'app.json': '{"a":1}' }))
      const container = {
        env: [{ name: 'COLOR', valueFrom: { configMapKeyRef: { name: 'settings', key: 'color' } } }],
        envFrom: [{ configMapRef: { name: 'settings' }, prefix: 'S_' }],
        volumeMounts: [
          { name: 'settings', mountPath: '/etc/settings' },
          { name: 'settings', mountPath: '/fixed.json', subPath: 'app.json' },
        ],
      }
      const script =
        'echo $COLOR $S_color; while :; do cat etc/settings/color; echo; cat fixed.json; echo; sleep 0.5; done'
      const volumes = [{ name: 'settings', configMap: { name: 'settings' } }]
      await t.feed('apply -f -', scripted('p', script, container, { volumes }))
      await t.eventually(async () => has(await t.k('logs p'), /^red red\nred\n\{"a":1\}/))
      await t.feed('apply -f -', configMap('settings', { color: 'blue', 'app.json': '{"a":2}' }))
      await t.eventually(async () => has(await t.k('logs p --tail=4'), /^blue$/m), 60_000)
      // A part of a volume is what it was when the container was started.
      lacks(await t.k('logs p'), '{"a":2}')
    },
  },
  'what-is-missing-is-waited-for': {
    rows: ['I9'],
    source: `${docs}/tasks/configure-pod-container/configure-pod-configmap`,
    async run(t) {
      const container = { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'key', key: 'a' } } }] }
      await t.feed('apply -f -', scripted('p', 'echo $A', container))
      await t.eventually(async () => has(await t.k('get pod p'), 'CreateContainerConfigError'))
      assert.equal((await status(t, 'p')).state.waiting.message, 'secret "key" not found')
      await t.k('create secret generic key --from-literal=b=c')
      await t.eventually(async () => {
        const { state } = await status(t, 'p')
        assert.equal(state.waiting.message, `couldn't find key a in Secret ${t.namespace}/key`)
      })
      await t.k(['patch', 'secret', 'key', '-p', '{"stringData":{"a":"there"}}'])
      await phase(t, 'p', 'Succeeded')
      assert.equal(await t.k('logs p'), 'there\n')
    },
  },
  'a-volume-that-is-missing-is-waited-for': {
    rows: ['I8'],
    source: 'observed: FailedMount, and the container is ContainerCreating',
    async run(t) {
      const volumes = [{ name: 'key', secret: { secretName: 'key', items: [{ key: 'a', path: 'deep/a' }] } }]
      const mounts = { volumeMounts: [{ name: 'key', mountPath: '/key' }] }
      await t.feed('apply -f -', scripted('p', 'cat key/deep/a; stat -L -c " %a" key/deep/a', mounts, { volumes }))
      await told(t, 'p', 'MountVolume.SetUp failed for volume "key" : secret "key" not found')
      assert.equal((await status(t, 'p')).state.waiting.reason, 'ContainerCreating')
      await t.k('create secret generic key --from-literal=a=hush')
      await phase(t, 'p', 'Succeeded')
      assert.equal(await t.k('logs p'), 'hush 600\n')
    },
  },
  'exec-probes-decide': {
    rows: ['I4'],
    source: `${probes}/#define-a-liveness-command`,
    async run(t) {
      const container = {
        readinessProbe: { exec: { command: ['test', '-e', 'ready'] }, periodSeconds: 1 },
        livenessProbe: {
          exec: { command: ['/bin/sh', '-c', 'test ! -e sick'] },
          periodSeconds: 1,
          failureThreshold: 2,
        },
      }
      const script = 'trap "exit 9" TERM; sleep 1; touch ready; sleep 2; touch sick; while :; do sleep 0.1; done'
      await t.feed('apply -f -', scripted('p', script, container, { restartPolicy: 'Always' }))
      await ready(t, 'pod/p')
      await t.eventually(async () => {
        const { restartCount, lastState } = await status(t, 'p')
        assert.equal(restartCount, 1)
        assert.equal(lastState.terminated.exitCode, 9)
      })
      await told(t, 'p', 'Liveness probe failed', 'Container main failed liveness probe, will be restarted')
    },
  },
  'a-startup-probe-holds-the-others-back': {
    rows: ['I4'],
    source: `${probes}/#define-startup-probes`,
    async run(t) {
      const container = {
        startupProbe: { exec: { command: ['test', '-e', 'up'] }, periodSeconds: 1, failureThreshold: 60 },
        livenessProbe: { exec: { command: ['test', '-e', 'up'] }, periodSeconds: 1, failureThreshold: 1 },
      }
      await t.feed('apply -f -', scripted('p', 'sleep 3; touch up; exec sleep 300', container))
      await phase(t, 'p', 'Running')
      assert.equal((await status(t, 'p')).started, false)
      await ready(t, 'pod/p')
      const { started, restartCount } = await status(t, 'p')
      assert.deepEqual([started, restartCount], [true, 0])
    },
  },
  'a-command-that-does-not-exist': {
    rows: ['I3'],
    source: 'observed with containerd: StartError, exit code 128',
    async run(t) {
      await t.feed('apply -f -', {
        ...pod('p', {
          ...onProcessNode,
          restartPolicy: 'Never',
          containers: [{ name: 'main', image: 'none', command: ['nope'] }],
        }),
      })
      await phase(t, 'p', 'Failed')
      const { terminated } = (await status(t, 'p')).state
      assert.deepEqual([terminated.exitCode, terminated.reason], [128, 'StartError'])
      has(terminated.message, 'exec: "nope": executable file not found in $PATH')
      await told(t, 'p', /Warning +Failed +pod\/p +Error: failed to start container/)
    },
  },
  'a-container-without-a-command': {
    rows: ['I3'],
    source: 'docs/process-nodes.md',
    async run(t) {
      await t.feed('apply -f -', pod('p', { ...onProcessNode, containers: [{ name: 'main', image: 'nginx' }] }))
      await t.eventually(async () => has(await t.k('get pod p'), 'CreateContainerError'))
      has(
        (await status(t, 'p')).state.waiting.message,
        'this node runs commands of its machine and no images',
        '"nginx"',
      )
      await told(t, 'p', 'Warning', 'this node runs commands of its machine and no images')
    },
  },
  'nothing-runs-here-by-accident': {
    rows: ['I2'],
    source: 'docs/process-nodes.md; kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration',
    async run(t) {
      const { nodeSelector } = onProcessNode
      await t.feed('apply -f -', pod('p', { nodeSelector, containers: [shell('main', 'echo ran')] }))
      await told(t, 'p', 'had untolerated taint(s)')
      await t.feed('apply -f -', pod('q', { containers: [shell('main', 'sleep 300')] }))
      await ready(t, 'pod/q')
      lacks(JSON.stringify(await t.get('nodes -l shiplog.dev/runtime=process')), (await t.get('pod q')).spec.nodeName)
    },
  },
  'init-containers-come-first-and-sidecars-stay': {
    rows: ['I7'],
    source: `${docs}/concepts/workloads/pods/sidecar-containers`,
    async run(t) {
      const { path, volume, mount } = shared(t)
      const step = (name: string, script: string, more: Any = {}): Any =>
        shell(name, script.replaceAll('LOG', 'shared/story'), { volumeMounts: [mount], ...more })
      const initContainers = [
        step('first', 'sleep 0.3; echo first >> LOG'),
        step('side', "trap 'echo side-ends >> LOG; exit 0' TERM; echo side >> LOG; while :; do sleep 0.1; done", {
          restartPolicy: 'Always',
        }),
        step('second', 'sleep 0.5; echo second >> LOG'),
      ]
      const containers = [step('main', 'echo main >> LOG; sleep 0.5; echo main-ends >> LOG')]
      await t.feed('apply -f -', scripted('p', '', {}, { initContainers, containers, volumes: [volume] }))
      await phase(t, 'p', 'Succeeded')
      const story = readFileSync(join(path, 'story'), 'utf8').trim().split('\n')
      assert.deepEqual(story, ['first', 'side', 'second', 'main', 'main-ends', 'side-ends'])
    },
  },
  'hooks-run-at-both-ends': {
    rows: ['I5'],
    source: `${docs}/tasks/configure-pod-container/attach-handler-lifecycle-event`,
    async run(t) {
      const { path, volume, mount } = shared(t)
      const exec = (script: string): Any => ({ exec: { command: ['/bin/sh', '-c', script] } })
      const lifecycleHooks = {
        postStart: exec('echo started >> shared/story'),
        preStop: exec('sleep 0.3; echo stopping >> shared/story'),
      }
      const script = "trap 'echo term >> shared/story; exit 0' TERM; while :; do sleep 0.1; done"
      const container = { volumeMounts: [mount], lifecycle: lifecycleHooks }
      await t.feed(
        'apply -f -',
        scripted('p', script, container, { volumes: [volume], terminationGracePeriodSeconds: 20 }),
      )
      await ready(t, 'pod/p')
      await t.eventually(async () => has(readFileSync(join(path, 'story'), 'utf8'), 'started'))
      await t.k('delete pod p --timeout=60s')
      assert.equal(readFileSync(join(path, 'story'), 'utf8'), 'started\nstopping\nterm\n')
    },
  },
  'a-failed-post-start-hook-ends-the-container': {
    rows: ['I5'],
    source: `${docs}/concepts/containers/container-lifecycle-hooks`,
    async run(t) {
      const container = { lifecycle: { postStart: { exec: { command: ['false'] } } } }
      await t.feed('apply -f -', scripted('p', 'exec sleep 300', container))
      await phase(t, 'p', 'Failed')
      await told(t, 'p', 'FailedPostStartHook')
    },
  },
  'fields-and-variables': {
    rows: ['I9'],
    source: `${docs}/tasks/inject-data-application/environment-variable-expose-pod-information`,
    async run(t) {
      const field = (name: string, fieldPath: string): Any => ({ name, valueFrom: { fieldRef: { fieldPath } } })
      const container = {
        env: [
          field('NAME', 'metadata.name'),
          field('NODE', 'spec.nodeName'),
          field('LABEL', "metadata.labels['tier']"),
          { name: 'BOTH', value: '$(NAME)/$(LABEL) $$(NAME)' },
        ],
        args: ['ignored', '$(NODE)'],
        volumeMounts: [{ name: 'about', mountPath: '/about' }],
        command: ['/bin/sh', '-c', 'echo "$BOTH"; echo "$1"; cat about/labels; echo; echo said > dev/termination-log'],
      }
      const items = [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }]
      const manifest = scripted('p', '', container, { volumes: [{ name: 'about', downwardAPI: { items } }] })
      manifest.metadata.labels = { tier: 'front' }
      await t.feed('apply -f -', manifest)
      await phase(t, 'p', 'Succeeded')
      const { nodeName } = (await t.get('pod p')).spec
      assert.equal(await t.k('logs p'), `p/front $(NAME)\n${nodeName}\ntier="front"\n`)
      assert.equal((await status(t, 'p')).state.terminated.message, 'said\n')
    },
  },
  'another-user-only-where-that-can-be': {
    rows: ['I11'],
    source: `${docs}/tasks/configure-pod-container/security-context`,
    async run(t) {
      await t.k('create secret generic key --from-literal=a=hush')
      const container = { volumeMounts: [{ name: 'key', mountPath: '/key' }] }
      const spec = {
        securityContext: { runAsUser: 65_534, runAsGroup: 65_533 },
        volumes: [{ name: 'key', secret: { secretName: 'key' } }],
      }
      await t.feed('apply -f -', scripted('p', 'id -u; id -g; cat key/a; touch mine && echo', container, spec))
      if (process.getuid?.() === 0) {
        await phase(t, 'p', 'Succeeded')
        assert.equal(await t.k('logs p'), '65534\n65533\nhush\n')
      } else {
        await t.eventually(async () => has(await t.k('get pod p'), 'CreateContainerConfigError'))
        has((await status(t, 'p')).state.waiting.message, 'which only root may arrange')
      }
    },
  },
  'the-node-tells-of-the-machine': {
    rows: ['I2'],
    source: 'docs/process-nodes.md',
    async run(t) {
      const [node] = (await t.get('nodes -l shiplog.dev/runtime=process')).items as Any[]
      has(node.status.nodeInfo.containerRuntimeVersion, /^process:\/\//)
      assert.deepEqual(node.spec.taints, [{ effect: 'NoSchedule', key: 'shiplog.dev/runtime', value: 'process' }])
      has(node.status.capacity.memory, /^\d+Ki$/)
      has(await t.k(`describe node ${node.metadata.name}`), 'process://', 'shiplog.dev/runtime=process:NoSchedule')
    },
  },
})
