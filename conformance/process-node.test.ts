// Real kubectl against a cluster with a node whose pods are processes of this machine.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { provideKubectl } from '../tools/kubectl/provide.ts'
import { logCases } from './cases/logs.ts'
import { type Cluster, startCluster } from './src/cluster.ts'
import { runCommand } from './src/command.ts'
import { eventually, pause } from './src/context.ts'
import { benchForTests, declareCases } from './src/suite.ts'

describe('kubectl against a node of real processes', () => {
  const running = benchForTests('embedded', ['--node', 'process'])
  declareCases(logCases, running)

  test('a slow reader of 45 MB gets every line, and the cluster holds none of it meanwhile', async () => {
    const { tools, cluster } = running()
    const lines = 45_000
    const { k, flags } = kubectlOf(tools.kubectl, cluster.kubeconfig)
    await k(['apply', '-f', '-'], printing('loud', `sleep 1; yes ${'x'.repeat(999)} | head -n ${lines}`))
    await k(['wait', '--for=condition=Ready', 'pod/loud', '--timeout=60s'])
    const before = residentBytes(cluster.process.pid!)
    const reader = spawn(tools.kubectl, [...flags, 'logs', '-f', 'loud'], { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      const exited = once(reader, 'exit')
      await k(['wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/loud', '--timeout=60s'])
      // All of it is printed, and nobody has read a byte.
      await pause(500)
      expect(residentBytes(cluster.process.pid!) - before).toBeLessThan(40 * 1024 * 1024)
      let received = 0
      for await (const chunk of reader.stdout) received += (chunk as Buffer).length
      expect(received).toBe(lines * 1_000)
      expect((await exited)[0]).toBe(0)
    } finally {
      reader.kill('SIGKILL')
    }
  }, 120_000)
})

test('what is printed while nothing of the cluster runs is in the log all the same', { timeout: 150_000 }, async () => {
  const tools = await provideKubectl()
  const dataDir = mkdtempSync(join(tmpdir(), 'shiplog-logs-'))
  const start = (): Promise<Cluster> => startCluster({ log: 'embedded', args: ['--node', 'process'], dataDir })
  let cluster = await start()
  try {
    const { k, flags } = kubectlOf(tools.kubectl, cluster.kubeconfig)
    await k(['apply', '-f', '-'], printing('counter', 'i=1; while :; do echo $i; i=$((i+1)); sleep 0.05; done'))
    const printed = async (): Promise<number[]> => (await k(['logs', 'counter'])).trimEnd().split('\n').map(Number)
    await eventually(async () => assert.ok((await printed()).length >= 5))
    const following = spawn(tools.kubectl, [...flags, 'logs', '-f', 'counter'], { stdio: ['ignore', 'pipe', 'ignore'] })
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
    const [status] = JSON.parse(await k(['get', 'pod', 'counter', '-o', 'json'])).status.containerStatuses
    expect(status).toMatchObject({ restartCount: 0, state: { running: {} } })
  } finally {
    await cluster.remove()
  }
})

/** A pod that runs a shell script on the machine. */
const printing = (name: string, script: string): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: {
    restartPolicy: 'Never',
    nodeSelector: { 'shiplog.dev/runtime': 'process' },
    tolerations: [{ key: 'shiplog.dev/runtime', operator: 'Exists' }],
    containers: [{ name: 'main', image: 'none', command: ['/bin/sh', '-c', script] }],
  },
})

function kubectlOf(kubectl: string, kubeconfig: string) {
  const flags = ['--kubeconfig', kubeconfig, '-n', 'default']
  return {
    flags,
    k: async (args: readonly string[], manifest?: object): Promise<string> => {
      const stdin = manifest === undefined ? '' : JSON.stringify(manifest)
      const done = await runCommand(kubectl, [...flags, ...args], { stdin })
      assert.equal(done.code, 0, done.stderr)
      return done.stdout
    },
  }
}

function residentBytes(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(found![1]) * 1024
}
