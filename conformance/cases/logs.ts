// `kubectl logs`, of pods that are processes of this machine: the suite that runs these has a node of that kind.
import assert from 'node:assert/strict'
import { type Any, type Case, type CaseContext, has, lacks, topic } from '../src/case.ts'
import { deployment, pod } from '../src/manifests.ts'

const reference = 'kubernetes.io/docs/reference/kubectl/generated/kubectl_logs'
const kubelet = 'observed: the kubelet refuses with 400 and this sentence'

const onProcessNode = {
  nodeSelector: { 'shiplog.dev/runtime': 'process' },
  tolerations: [{ key: 'shiplog.dev/runtime', operator: 'Equal', value: 'process', effect: 'NoSchedule' }],
}

const shell = (name: string, script: string): Any => ({ name, image: 'none', command: ['/bin/sh', '-c', script] })

/** A pod that runs a shell script on the machine. */
const scripted = (name: string, script: string, spec: Any = {}, metadata: Any = {}): Any =>
  pod(name, { ...onProcessNode, restartPolicy: 'Never', containers: [shell('main', script)], ...spec }, metadata)

const ended = async (t: CaseContext, name: string, phase = 'Succeeded'): Promise<void> =>
  void (await t.k(`wait --for=jsonpath={.status.phase}=${phase} pod/${name} --timeout=60s`))

const running = async (t: CaseContext, what: string): Promise<void> =>
  void (await t.k(`wait --for=condition=Ready ${what} --timeout=60s`))

/** Prints, then stays. */
const staying = (script: string): string => `${script}; exec sleep 300`

const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z`

export const logCases: readonly Case[] = topic('logs', {
  'what-was-printed': {
    rows: ['D1'],
    source: `${reference}: --tail, --since, --since-time, --timestamps, --limit-bytes`,
    bothVersions: true,
    async run(t) {
      await t.feed('apply -f -', scripted('p', 'echo one; echo two; sleep 0.1; echo three >&2; printf four'))
      await ended(t, 'p')
      assert.equal(await t.k('logs p'), 'one\ntwo\nthree\nfour')
      assert.equal(await t.k('logs p --tail=2'), 'three\nfour')
      assert.equal(await t.k('logs p --tail=0'), '')
      assert.equal(await t.k('logs p --tail=1 -f'), 'four')
      assert.equal(await t.k('logs p --limit-bytes=5'), 'one\nt')
      assert.equal(await t.k('logs p --since=1h'), 'one\ntwo\nthree\nfour')
      assert.equal(await t.k('logs p --since-time=2999-01-01T00:00:00Z'), '')
      has(await t.k('logs p --timestamps'), new RegExp(`^${time} one\n${time} two\n${time} three\n${time} four$`))
      const [, first] = (await t.k('logs p --timestamps')).split('\n')
      has(await t.k(`logs p --since-time=${first!.split(' ')[0]} --tail=-1`), /three\nfour$/)
    },
  },
  'since-leaves-out-what-is-older': {
    rows: ['D1'],
    source: `${reference}: --since, "only return logs newer than a relative duration"`,
    async run(t) {
      await t.feed('apply -f -', scripted('p', 'echo old; sleep 4; while :; do echo new; sleep 0.2; done'))
      await t.eventually(async () => has(await t.k('logs p'), 'new'))
      const recent = await t.k('logs p --since=2s')
      has(recent, /^new$/m)
      lacks(recent, 'old')
    },
  },
  'follows-to-the-end': {
    rows: ['D1'],
    source: `${reference}: -f, "specify if the logs should be streamed"; it ends with the container`,
    bothVersions: true,
    async run(t) {
      const script = 'for i in 1 2 3 4 5 6 7 8; do echo line $i; sleep 0.2; done; echo end'
      await t.feed('apply -f -', scripted('p', script))
      await t.eventually(async () => has(await t.k('logs p'), 'line 1'))
      const lines = (await t.k('logs -f p', { timeoutMs: 40_000 })).trimEnd().split('\n')
      assert.deepEqual(lines, [...Array.from({ length: 8 }, (_, i) => `line ${i + 1}`), 'end'])
    },
  },
  'following-shows-lines-as-they-come': {
    rows: ['D1'],
    source: `${reference}: -f`,
    async run(t) {
      await t.feed('apply -f -', scripted('p', staying('echo hello; sleep 1; echo again')))
      await running(t, 'pod/p')
      has(await t.k('logs -f p --tail=1', { until: (text) => text.includes('again') }), 'again')
    },
  },
  'the-attempt-before': {
    rows: ['D1'],
    source: `${reference}: -p, "print the logs for the previous instance of the container"`,
    async run(t) {
      const script = 'if [ -e again ]; then echo second; exec sleep 300; fi; touch again; echo first; exit 3'
      const scratch = { volumes: [{ name: 'scratch', emptyDir: {} }] }
      const container = {
        ...shell('main', `cd "$SHIPLOG_ROOT/scratch" && ${script}`),
        volumeMounts: [{ name: 'scratch', mountPath: '/scratch' }],
      }
      await t.feed('apply -f -', scripted('p', '', { ...scratch, restartPolicy: 'Always', containers: [container] }))
      await t.eventually(async () => assert.equal(await t.k('logs p'), 'second\n'))
      assert.equal(await t.k('logs p --previous'), 'first\n')
      await t.feed('apply -f -', scripted('q', staying('echo only')))
      await running(t, 'pod/q')
      has(
        await t.kFails('logs q -p'),
        'Error from server (BadRequest): previous terminated container "main" in pod "q" not found',
      )
    },
  },
  'several-containers': {
    rows: ['D1'],
    source: `${reference}: -c, --all-containers, --prefix; the first container is the default, and an annotation may name another`,
    async run(t) {
      const containers = [shell('a', staying('echo from a')), shell('b', staying('echo from b'))]
      const initContainers = [shell('setup', 'echo preparing')]
      await t.feed('apply -f -', scripted('p', '', { containers, initContainers }))
      await running(t, 'pod/p')
      const plain = await t.kAll('logs p')
      assert.equal(plain.stdout, 'from a\n')
      has(plain.stderr, 'Defaulted container "a" out of: a, b, setup (init)')
      assert.equal(await t.k('logs p -c b'), 'from b\n')
      assert.equal(await t.k('logs p -c setup'), 'preparing\n')
      const all = (await t.k('logs p --all-containers --prefix')).trimEnd().split('\n')
      assert.deepEqual(all.sort(), ['[pod/p/a] from a', '[pod/p/b] from b', '[pod/p/setup] preparing'])
      has(await t.kFails('logs p -c nobody'), /container nobody is not valid for pod p/)
      const direct = await t.http({ path: '/api/v1/namespaces/{ns}/pods/p/log' })
      assert.equal(direct.code, 400)
      const sentence =
        'a container name must be specified for pod p, choose one of: [a b] or one of the init containers: [setup]'
      assert.equal(direct.json.message, sentence)
      const annotations = { 'kubectl.kubernetes.io/default-container': 'b' }
      await t.feed('apply -f -', scripted('q', '', { containers }, { annotations }))
      await running(t, 'pod/q')
      assert.equal(await t.k('logs q'), 'from b\n')
    },
  },
  'of-many-pods': {
    rows: ['D1', 'B5'],
    source: `${reference}: -l, --prefix, --max-log-requests, TYPE/NAME`,
    async run(t) {
      const web = deployment('web', 2)
      Object.assign(web.spec.template.spec, onProcessNode, { containers: [shell('web', staying('echo serving'))] })
      await t.feed('apply -f -', web)
      await t.k('rollout status deployment/web --timeout=60s')
      const lines = (await t.k('logs -l app=web --prefix')).trimEnd().split('\n')
      assert.equal(lines.length, 2)
      for (const line of lines) has(line, /^\[pod\/web-[a-z0-9]+-[a-z0-9]+\/web\] serving$/)
      assert.equal(new Set(lines).size, 2)
      has(await t.kFails('logs -f -l app=web --max-log-requests=1'), /attempting to follow 2 log streams/)
      has(await t.k('logs deploy/web'), /^serving$/m)
      const template = { spec: { ...onProcessNode, restartPolicy: 'Never', containers: [shell('main', 'echo 6*7')] } }
      await t.feed('apply -f -', {
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { name: 'sum' },
        spec: { template },
      })
      await t.k('wait --for=condition=Complete job/sum --timeout=60s')
      assert.equal(await t.k('logs job/sum'), '6*7\n')
    },
  },
  'long-lines-and-bytes': {
    rows: ['D1'],
    source: 'observed: a line longer than 16 KiB arrives as one line',
    async run(t) {
      await t.feed('apply -f -', scripted('p', "head -c 40000 /dev/zero | tr '\\0' x; echo; printf '\\303\\251\\n'"))
      await ended(t, 'p')
      assert.equal(await t.k('logs p'), `${'x'.repeat(40_000)}\né\n`)
      assert.equal(await t.k('logs p --tail=1'), 'é\n')
      assert.equal((await t.k('logs p --tail=2')).length, 40_003)
    },
  },
  refusals: {
    rows: ['D1'],
    source: `${kubelet}; upstream's ValidatePodLogOptions`,
    async run(t) {
      has(await t.kFails('logs nobody'), 'pods "nobody" not found')
      await t.feed('apply -f -', pod('nowhere', { nodeSelector: { nowhere: 'x' } }))
      assert.equal(await t.k('logs nowhere'), '')
      const noCommand = { ...onProcessNode, containers: [{ name: 'main', image: 'nginx' }] }
      await t.feed('apply -f -', pod('stuck', noCommand))
      await t.eventually(async () =>
        has(
          await t.kFails('logs stuck'),
          /\(BadRequest\): container "main" in pod "stuck" is waiting to start: Create\w+Error/,
        ),
      )
      await t.feed('apply -f -', pod('simulated'))
      await running(t, 'pod/simulated')
      has(await t.kFails('logs simulated'), /container "main" in pod "simulated" is simulated/)
      const ask = async (query: string) => await t.http({ path: `/api/v1/namespaces/{ns}/pods/stuck/log?${query}` })
      const invalid = await ask('tailLines=-1')
      assert.equal(invalid.code, 422)
      has(invalid.json.message, 'PodLogOptions "stuck" is invalid: tailLines: Invalid value: -1')
      assert.equal((await ask('limitBytes=0')).code, 422)
      assert.equal((await ask('sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z')).code, 422)
      for (const query of ['tailLines=x', 'sinceTime=yesterday', 'container=nobody']) {
        const answer = await ask(query)
        assert.equal(answer.code, 400, query)
        assert.equal(answer.json.kind, 'Status')
      }
    },
  },
  'rights-and-discovery': {
    rows: ['D1', 'A4'],
    source: 'kubernetes.io/docs/reference/access-authn-authz/rbac: pods/log is a resource of its own',
    async run(t) {
      await t.feed('apply -f -', scripted('p', 'echo secret'))
      await ended(t, 'p')
      await t.k('create role reader --verb=get --resource=pods')
      await t.k('create rolebinding reader --role=reader --user=alice')
      has(await t.k('get pod p --as=alice'), /^p /m)
      has(await t.kFails('logs p --as=alice'), /User "alice" cannot get resource "pods\/log" in API group ""/)
      await t.k('create role log-reader --verb=get --resource=pods/log')
      await t.k('create rolebinding log-reader --role=log-reader --user=alice')
      await t.eventually(async () => assert.equal(await t.k('logs p --as=alice'), 'secret\n'))
      const core = JSON.parse(await t.k('get --raw /api/v1')) as Any
      const log = core.resources.find((one: Any) => one.name === 'pods/log')
      assert.deepEqual(log.verbs, ['get'])
      lacks(await t.k('logs p --as=alice'), 'Forbidden')
    },
  },
})
