// Real kubectl against nodes whose pods run in containerd, as a user starts them. Where a machine cannot have such nodes the
// file says why in one line and leaves the rest out.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { whyNoContainerdNodes } from '@shiplog/node/containerd/containerd-nodes'
import { holders } from '@shiplog/node/containerd/holder'
import { imageArchive } from '@shiplog/node/containerd/image-archive'
import { provideNodePrograms } from '@shiplog/node/containerd/programs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { provideKubectl } from '../../tools/kubectl/provide.ts'
import { type Cluster, startCluster } from '../src/cluster.ts'
import { runCommand } from '../src/command.ts'
import { eventually } from '../src/context.ts'
import { busyboxFiles, searchPath } from './node-image.ts'

type Json = any

const why = whyNoContainerdNodes() ?? (await provideNodePrograms().then(() => undefined, (error: Error) => error.message))
if (why !== undefined) process.stderr.write(`left out: pods in containers: ${why}\n`)

const image = 'tests.example/busybox:1'
const startTimeoutMs = 240_000

describe.skipIf(why !== undefined)('pods in containers', () => {
  let directory = ''
  let dataDir = ''
  let kubectl = ''
  let cluster: Cluster

  const up = (): Promise<Cluster> =>
    startCluster({ log: 'embedded', simulatedNodes: 0, dataDir, args: ['--node', 'containerd', '--nodes', '2'] })
  const k = async (...args: string[]): Promise<string> => {
    const done = await runCommand(kubectl, ['--kubeconfig', cluster.kubeconfig, ...args])
    assert.equal(done.code, 0, `${args.join(' ')}: ${done.stderr}`)
    return done.stdout
  }
  const apply = async (...objects: Json[]): Promise<void> => {
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
    const done = await runCommand(kubectl, ['--kubeconfig', cluster.kubeconfig, 'apply', '-f', '-'], { stdin: list })
    assert.equal(done.code, 0, done.stderr)
  }
  const get = async (name: string): Promise<Json> => JSON.parse(await k('get', 'pod', name, '-o', 'json'))
  const phase = (name: string, wanted: string): Promise<string> =>
    k('wait', `--for=jsonpath={.status.phase}=${wanted}`, `pod/${name}`, '--timeout=90s')
  const ready = (name: string): Promise<string> => k('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=90s')
  const messageOf = async (name: string): Promise<string> => {
    await phase(name, 'Succeeded')
    return (await get(name)).status.containerStatuses[0].state.terminated.message
  }

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'shiplog-containers-'))
    dataDir = join(directory, 'data')
    kubectl = (await provideKubectl()).kubectl
    cluster = await up()
    const archive = join(directory, 'busybox.tar')
    writeFileSync(archive, imageArchive([image], await busyboxFiles(), { Cmd: ['sh'], Env: [searchPath] }))
    const shiplog = resolve(import.meta.dirname, '..', '..', 'apps', 'cli', 'src', 'main.ts')
    const loaded = await runCommand(process.execPath, [shiplog, 'image', 'load', '-d', dataDir, archive])
    assert.match(loaded.stdout, /tests\.example\/busybox:1 on worker-0, worker-1/, loaded.stderr)
  }, startTimeoutMs)
  afterAll(async () => {
    await cluster?.remove()
    rmSync(directory, { recursive: true, force: true })
  }, startTimeoutMs)

  const container = (script: string, more: Json = {}): Json => ({
    name: 'main',
    image,
    command: ['sh', '-c', script],
    ...more,
  })
  const pod = (name: string, spec: Json, metadata: Json = {}): Json => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, ...metadata },
    spec: { terminationGracePeriodSeconds: 1, restartPolicy: 'Never', ...spec },
  })

  test('are ordinary nodes, and kubectl logs shows what pods print', async () => {
    const nodes = JSON.parse(await k('get', 'nodes', '-l', 'shiplog.dev/runtime=containerd', '-o', 'json')).items
    expect(nodes.map(({ spec, status }: Json) => [spec.taints, status.nodeInfo.containerRuntimeVersion])).toEqual([
      [undefined, expect.stringMatching(/^containerd:\/\/\d/)],
      [undefined, expect.stringMatching(/^containerd:\/\/\d/)],
    ])
    await apply(pod('talks', { containers: [container('for i in 1 2 3; do echo line $i; done; echo aside >&2')] }))
    await phase('talks', 'Succeeded')
    expect((await k('logs', 'talks')).split('\n').sort()).toEqual(['', 'aside', 'line 1', 'line 2', 'line 3'])
    expect(await k('logs', '--tail=1', '--timestamps', 'talks')).toMatch(/^\d{4}-.{24}Z (line 3|aside)\n$/)
  }, 150_000)

  test('find their environment, names, users and volumes as upstream lays them out', async () => {
    await apply(
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { color: 'blue' } },
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'keys' }, stringData: { word: 'hush' } },
      pod(
        'whole',
        {
          hostname: 'me',
          subdomain: 'sub',
          hostAliases: [{ ip: '1.2.3.4', hostnames: ['a.example', 'b.example'] }],
          securityContext: { runAsUser: 1000, runAsGroup: 3000, fsGroup: 2000, supplementalGroups: [777] },
          initContainers: [container('echo from init > /scratch/first', { name: 'before', volumeMounts: [{ name: 'work', mountPath: '/scratch' }] })],
          containers: [
            container(
              `{ ${[
                'id -u; id -g; id -G',
                'cat /scratch/first /settings/color /all/word',
                'stat -L -c "%a %g" /scratch /memory /all/word',
                'echo part > /part/file; cat /scratch/parts/whole/file',
                'grep -c 1.2.3.4 /etc/hosts; hostname -f',
                'echo $POD $LIMIT $KUBERNETES_SERVICE_PORT $0 $COLOR',
                'touch /root-is-read-only 2>/dev/null || echo read-only',
                'grep CapEff /proc/self/status | cut -f2',
                'df /memory | tail -1 | cut -d" " -f1',
              ].join('; ')}; } > /dev/termination-log 2>&1`,
              {
                args: ['$(POD)'],
                env: [
                  { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
                  { name: 'LIMIT', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
                  { name: 'COLOR', valueFrom: { configMapKeyRef: { name: 'settings', key: 'color' } } },
                ],
                resources: { limits: { memory: '64Mi', cpu: '500m' } },
                securityContext: {
                  readOnlyRootFilesystem: true,
                  allowPrivilegeEscalation: false,
                  capabilities: { drop: ['ALL'] },
                  seccompProfile: { type: 'RuntimeDefault' },
                },
                volumeMounts: [
                  { name: 'work', mountPath: '/scratch' },
                  { name: 'work', mountPath: '/part', subPathExpr: 'parts/$(POD)' },
                  { name: 'memory', mountPath: '/memory' },
                  { name: 'settings', mountPath: '/settings' },
                  { name: 'all', mountPath: '/all' },
                ],
              },
            ),
          ],
          volumes: [
            { name: 'work', emptyDir: {} },
            { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
            { name: 'settings', configMap: { name: 'settings' } },
            { name: 'all', projected: { defaultMode: 0o400, sources: [{ secret: { name: 'keys' } }] } },
          ],
        },
      ),
    )
    expect((await messageOf('whole')).split('\n')).toEqual([
      ...['1000', '3000'],
      expect.stringMatching(/^(?=.*777)(?=.*2000)(?=.*3000)/),
      ...['from init', 'bluehush2777 2000', '2777 2000', '440 2000'],
      ...['part', '1', 'me.sub.default.svc.cluster.local', 'whole 64 443 whole blue', 'read-only'],
      ...['0000000000000000', 'tmpfs', ''],
    ])
  }, 150_000)

  test('end as they end: codes, reasons, restarts with back-off, and images that cannot be had', async () => {
    await apply(
      pod('fails', { containers: [container('echo the reason; exit 3', { terminationMessagePolicy: 'FallbackToLogsOnError' })] }),
      pod('crashes', { restartPolicy: 'Always', containers: [container('exit 7')] }),
      pod('no-program', { containers: [{ name: 'main', image, command: ['/nope'] }] }),
      pod('eats', { containers: [container('tail /dev/zero', { resources: { limits: { memory: '20Mi' } } })] }),
      pod('never', { containers: [{ name: 'main', image: 'tests.example/none:1', imagePullPolicy: 'Never' }] }),
      pod('bad-name', { containers: [{ name: 'main', image: 'Not A Name' }] }),
      pod('as-root', { securityContext: { runAsNonRoot: true }, containers: [container('id')] }),
    )
    const first = async (name: string): Promise<Json> => (await get(name)).status.containerStatuses[0]
    await phase('fails', 'Failed')
    expect((await first('fails')).state.terminated).toMatchObject({ exitCode: 3, reason: 'Error', message: 'the reason\n' })
    await phase('no-program', 'Failed')
    expect((await first('no-program')).state.terminated).toMatchObject({ exitCode: 128, reason: 'StartError' })
    await phase('eats', 'Failed')
    expect((await first('eats')).state.terminated).toMatchObject({ exitCode: 137, reason: 'OOMKilled' })
    await eventually(async () => {
      const { state, lastState, restartCount } = await first('crashes')
      expect([state.waiting?.reason, lastState.terminated?.exitCode]).toEqual(['CrashLoopBackOff', 7])
      expect(restartCount).toBeGreaterThanOrEqual(1)
      expect((await first('never')).state.waiting.reason).toBe('ErrImageNeverPull')
      expect((await first('bad-name')).state.waiting.reason).toBe('InvalidImageName')
      expect((await first('as-root')).state.waiting).toMatchObject({
        reason: 'CreateContainerConfigError',
        message: expect.stringContaining('container has runAsNonRoot and image will run as root'),
      })
    })
  }, 200_000)

  test('probes reach them, sidecars start before them, hooks run and grace is given', async () => {
    await apply(
      pod('probed', {
        restartPolicy: 'Always',
        terminationGracePeriodSeconds: 20,
        initContainers: [
          container('touch /shared/up; sleep 600', {
            name: 'side',
            restartPolicy: 'Always',
            startupProbe: { exec: { command: ['test', '-e', '/shared/up'] }, periodSeconds: 1 },
            volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
          }),
        ],
        containers: [
          container('test -e /shared/up || exit 9; mkdir /www; echo ok > /www/i; trap "exit 0" TERM; httpd -p 8080 -h /www; while :; do sleep 0.2; done', {
            ports: [{ name: 'web', containerPort: 8080 }],
            readinessProbe: { httpGet: { path: '/i', port: 'web' }, periodSeconds: 1 },
            livenessProbe: { tcpSocket: { port: 'web' }, periodSeconds: 1 },
            lifecycle: {
              postStart: { exec: { command: ['sh', '-c', 'echo started > /shared/hook'] } },
              preStop: { exec: { command: ['sh', '-c', 'echo stopped >> /shared/hook; cp /shared/hook /kept/hook'] } },
            },
            volumeMounts: [
              { name: 'shared', mountPath: '/shared' },
              { name: 'kept', mountPath: '/kept' },
            ],
          }),
        ],
        volumes: [
          { name: 'shared', emptyDir: {} },
          { name: 'kept', hostPath: { path: join(directory, 'kept'), type: 'DirectoryOrCreate' } },
        ],
      }),
      pod('unwell', {
        restartPolicy: 'Always',
        containers: [container('sleep 600', { livenessProbe: { exec: { command: ['false'] }, periodSeconds: 1, failureThreshold: 1 } })],
      }),
    )
    await ready('probed')
    await eventually(async () => expect((await get('unwell')).status.containerStatuses[0].restartCount).toBeGreaterThan(0))
    await k('delete', 'pod', 'unwell', '--now')
    await k('delete', 'pod', 'probed')
    expect(readdirSync(join(directory, 'kept'))).toEqual(['hook'])
  }, 200_000)

  test('reach one another across nodes, and the API with their own token', async () => {
    await apply(
      pod('server', {
        nodeName: 'worker-0',
        containers: [container('mkdir /www; echo across > /www/i; httpd -f -p 8080 -h /www')],
      }),
    )
    await ready('server')
    const { podIP } = (await get('server')).status
    await apply(
      pod('client', {
        nodeName: 'worker-1',
        containers: [
          container(
            `{ wget -qO- http://${podIP}:8080/i; T=$(cat /var/run/secrets/kubernetes.io/serviceaccount/token); ` +
              'wget -qO- --no-check-certificate --header "Authorization: Bearer $T" https://$KUBERNETES_SERVICE_HOST/version | grep -c gitVersion; ' +
              '} > /dev/termination-log 2>&1',
          ),
        ],
      }),
    )
    expect(await messageOf('client')).toBe('across\n1\n')
  }, 150_000)

  test('let kubectl in: commands with input and exit code, files, ports, and somebody who looks over the shoulder', async () => {
    await apply(
      pod('open', { containers: [container('mkdir /www; echo page > /www/i; httpd -f -p 8080 -h /www')] }),
    )
    await ready('open')
    const run = (args: readonly string[], stdin = '') =>
      runCommand(kubectl, ['--kubeconfig', cluster.kubeconfig, ...args], { stdin })
    const failed = await run(['exec', '-i', 'open', '--', 'sh', '-c', 'cat; echo aside >&2; exit 7'], 'some input\n')
    expect([failed.code, failed.stdout]).toEqual([7, 'some input\n'])
    expect(failed.stderr).toContain('aside')
    const many = await run(['exec', 'open', '--', 'sh', '-c', 'head -c 3000000 /dev/zero | tr "\\0" x'])
    expect([many.code, many.stdout.length]).toEqual([0, 3_000_000])
    expect((await run(['get', '--raw', '/api/v1/namespaces/default/pods/open:8080/proxy/i'])).stdout).toBe('page\n')
    await k('debug', 'open', '--image', image, '--target', 'main', '-c', 'looks', '--', 'cat', '/proc/1/root/www/i')
    await eventually(async () => expect(await k('logs', 'open', '-c', 'looks')).toContain('page'))
  }, 150_000)

  test('are resized while they run', async () => {
    const sized = (cpu: string): Json => ({ limits: { cpu, memory: '64Mi' }, requests: { cpu, memory: '64Mi' } })
    await apply(pod('sized', { containers: [container('sleep 600', { resources: sized('200m') })] }))
    await ready('sized')
    const quota = (): Promise<string> =>
      k('exec', 'sized', '--', 'sh', '-c', 'cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null || cut -d" " -f1 /sys/fs/cgroup/cpu.max')
    expect(await quota()).toBe('20000\n')
    const patch = JSON.stringify({ spec: { containers: [{ name: 'main', resources: sized('300m') }] } })
    await k('patch', 'pod', 'sized', '--subresource', 'resize', '-p', patch)
    await eventually(async () => expect(await quota()).toBe('30000\n'))
    expect((await get('sized')).status.containerStatuses[0].restartCount).toBe(0)
  }, 150_000)

  test('see changes of what they mount, all at once', async () => {
    await apply(
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'live' }, data: { a: '1', b: '1' } },
      pod('watcher', {
        containers: [
          container('until grep -q 2 /live/a; do sleep 0.1; done; cat /live/a /live/b > /dev/termination-log', {
            volumeMounts: [{ name: 'live', mountPath: '/live' }],
          }),
        ],
        volumes: [{ name: 'live', configMap: { name: 'live' } }],
      }),
    )
    await ready('watcher')
    await apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'live' }, data: { a: '2', b: '2' } })
    expect(await messageOf('watcher')).toBe('22')
  }, 150_000)

  test('reach Services by name, by address and by ports of the nodes, and are refused where nobody serves', async () => {
    const web = (name: string, node: string): Json =>
      pod(
        name,
        { nodeName: node, containers: [container(`mkdir /www; echo ${name} > /www/index.html; httpd -f -p 8080 -h /www`, { ports: [{ name: 'http', containerPort: 8080 }] })] },
        { labels: { app: 'web' } },
      )
    const service = (name: string, spec: Json): Json => ({ apiVersion: 'v1', kind: 'Service', metadata: { name }, spec })
    const ports = [{ name: 'http', port: 80, targetPort: 'http' }]
    await apply(
      web('web-a', 'worker-0'),
      web('web-b', 'worker-1'),
      service('web', { selector: { app: 'web' }, type: 'NodePort', ports }),
      service('sticky', { selector: { app: 'web' }, sessionAffinity: 'ClientIP', ports }),
      service('near', { selector: { app: 'web' }, internalTrafficPolicy: 'Local', ports }),
      service('every', { selector: { app: 'web' }, clusterIP: 'None', ports }),
      service('nobody', { selector: { app: 'nobody' }, ports }),
      pod('asks', { nodeName: 'worker-0', containers: [container('sleep 600')] }),
    )
    await Promise.all(['web-a', 'web-b', 'asks'].map(ready))
    const inside = (script: string): Promise<string> => k('exec', 'asks', '--', 'sh', '-c', script)
    const often = async (url: string): Promise<string[]> =>
      [...new Set((await inside(`for i in 1 2 3 4 5 6 7 8 9 10 11 12; do wget -q -T 3 -O - ${url}; done`)).trim().split('\n'))].sort()
    const { nodePort } = JSON.parse(await k('get', 'service', 'web', '-o', 'json')).spec.ports[0]
    await eventually(async () => assert.deepEqual(await often('http://web'), ['web-a', 'web-b']))
    expect(await often('http://web.default.svc.cluster.local')).toEqual(['web-a', 'web-b'])
    for (const node of ['172.30.0.10', '172.30.0.11']) expect(await often(`http://${node}:${nodePort}`)).toEqual(['web-a', 'web-b'])
    expect(await often('http://sticky')).toHaveLength(1)
    expect(await often('http://near')).toEqual(['web-a'])
    expect((await inside('nslookup every.default.svc.cluster.local | grep -c "^Address: 10.244"')).trim()).toBe('2')
    expect(await inside('wget -q -T 3 -O - http://nobody 2>&1 || true')).toMatch(/Connection refused/)
    expect(await inside('nslookup missing.default.svc.cluster.local 2>&1 || true')).toMatch(/NXDOMAIN/)
    // From a pod to itself by way of its own Service.
    expect(await k('exec', 'web-a', '--', 'wget', '-q', '-T', '3', '-O', '-', 'http://near')).toBe('web-a\n')
    const token = '$(cat /var/run/secrets/kubernetes.io/serviceaccount/token)'
    const call = `wget -q -T 5 -O - --no-check-certificate --header "Authorization: Bearer ${token}" https://kubernetes.default/version`
    expect(JSON.parse(await inside(call)).major).toBe('1')
  }, 150_000)

  test('outlive an agent that is killed: nothing is started twice, and what ended meanwhile is told', async () => {
    await apply(
      pod('lives', { restartPolicy: 'Always', containers: [container('echo started; sleep 600')] }),
      pod('ends', { containers: [container('echo started; sleep 6; exit 5')] }),
    )
    await Promise.all([ready('lives'), ready('ends')])
    const before = (await get('lives')).status.containerStatuses[0].containerID
    await cluster.kill()
    cluster = await up()
    await phase('ends', 'Failed')
    expect((await get('ends')).status.containerStatuses[0]).toMatchObject({
      restartCount: 0,
      state: { terminated: { exitCode: 5 } },
    })
    const { containerID, restartCount } = (await get('lives')).status.containerStatuses[0]
    expect([containerID, restartCount]).toEqual([before, 0])
    expect(await k('logs', 'lives')).toBe('started\n')
  }, startTimeoutMs)

  test('leave nothing behind: neither processes nor cgroups', async () => {
    const own = (): string[] => [...holders().keys()].filter((mark) => mark.startsWith(dataDir))
    // The door, two nodes, and the DNS twice.
    expect(own()).toHaveLength(5)
    expect(await cluster.stop()).toBe(0)
    expect(own()).toEqual([])
    const cgroups = ['/sys/fs/cgroup', '/sys/fs/cgroup/memory'].filter((path) => existsSync(path))
    const alive = new Set([...holders().keys()].map((mark) => mark.replace(/\/[^/]*$/, '')))
    const left = cgroups.flatMap((path) => readdirSync(path).filter((name) => name.startsWith('shiplog-')))
    expect(left.length).toBeLessThanOrEqual(alive.size * cgroups.length)
  }, 60_000)
})
