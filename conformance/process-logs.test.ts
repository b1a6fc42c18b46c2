// Logs outlive what serves them: the cluster is killed while a pod prints.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { provideKubectl } from '../tools/kubectl/provide.ts'
import { type Cluster, startCluster } from './src/cluster.ts'
import { runCommand } from './src/command.ts'
import { eventually, pause } from './src/context.ts'

const counter = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'counter', namespace: 'default' },
  spec: {
    restartPolicy: 'Never',
    nodeSelector: { 'shiplog.dev/runtime': 'process' },
    tolerations: [{ key: 'shiplog.dev/runtime', operator: 'Exists' }],
    containers: [
      {
        name: 'main',
        image: 'none',
        command: ['/bin/sh', '-c', 'i=1; while :; do echo $i; i=$((i+1)); sleep 0.05; done'],
      },
    ],
  },
}

test('what is printed while nothing of the cluster runs is in the log all the same', { timeout: 150_000 }, async () => {
  const { kubectl } = await provideKubectl()
  const dataDir = mkdtempSync(join(tmpdir(), 'shiplog-logs-'))
  const start = (): Promise<Cluster> =>
    startCluster({ log: 'embedded', simulatedNodes: 0, args: ['--node', 'process'], dataDir })
  let cluster = await start()
  const flags = ['--kubeconfig', cluster.kubeconfig, '-n', 'default']
  const k = async (...args: string[]): Promise<string> => {
    const done = await runCommand(kubectl, [...flags, ...args], { stdin: JSON.stringify(counter) })
    assert.equal(done.code, 0, done.stderr)
    return done.stdout
  }
  const printed = async (): Promise<number[]> => (await k('logs', 'counter')).trimEnd().split('\n').map(Number)
  try {
    await k('apply', '-f', '-')
    await eventually(async () => assert.ok((await printed()).length >= 5))
    const following = spawn(kubectl, [...flags, 'logs', '-f', 'counter'], { stdio: ['ignore', 'pipe', 'ignore'] })
    const gone = once(following, 'exit')
    await once(following.stdout, 'data')
    following.stdout.resume()
    const before = (await printed()).length
    await cluster.kill()
    // Broken off, and told so; it does not wait for ever.
    expect((await gone)[0]).not.toBe(0)
    await pause(500)
    cluster = await start()
    const after = await eventually(async () => {
      const numbers = await printed()
      assert.ok(numbers.length > before + 5)
      return numbers
    })
    expect(after).toEqual(after.map((_, index) => index + 1))
    const [status] = JSON.parse(await k('get', 'pod', 'counter', '-o', 'json')).status.containerStatuses
    expect(status).toMatchObject({ restartCount: 0, state: { running: {} } })
  } finally {
    await cluster.remove()
  }
})
