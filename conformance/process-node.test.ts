// Real kubectl against a cluster with a node whose pods are processes of this machine.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { provideKubectl } from '../tools/kubectl/provide.ts'
import { logCases } from './cases/logs.ts'
import { processCases } from './cases/processes.ts'
import { streamCases } from './cases/streams.ts'
import { type Cluster, startCluster } from './src/cluster.ts'
import { runCommand } from './src/command.ts'
import { eventually, pause } from './src/context.ts'
import { benchForTests, declareCases } from './src/suite.ts'

describe('kubectl against a node of real processes', () => {
  const running = benchForTests('embedded', ['--node', 'process'])
  declareCases([...logCases, ...processCases, ...streamCases], running)

  test('a slow reader of 45 MB gets every line, and the cluster holds none of it meanwhile', async () => {
    const { tools, cluster } = running()
    const lines = 45_000
    const manifest = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'loud', namespace: 'default' },
      spec: {
        restartPolicy: 'Never',
        nodeSelector: { 'shiplog.dev/runtime': 'process' },
        tolerations: [{ key: 'shiplog.dev/runtime', operator: 'Exists' }],
        containers: [
          {
            name: 'main',
            image: 'none',
            command: ['/bin/sh', '-c', `sleep 1; yes ${'x'.repeat(999)} | head -n ${lines}`],
          },
        ],
      },
    }
    const flags = ['--kubeconfig', cluster.kubeconfig, '-n', 'default']
    const k = async (...args: string[]): Promise<string> => {
      const done = await runCommand(tools.kubectl, [...flags, ...args], { stdin: JSON.stringify(manifest) })
      assert.equal(done.code, 0, done.stderr)
      return done.stdout
    }
    await k('apply', '-f', '-')
    await k('wait', '--for=condition=Ready', 'pod/loud', '--timeout=60s')
    const before = residentBytes(cluster.process.pid!)
    const reader = spawn(tools.kubectl, [...flags, 'logs', '-f', 'loud'], { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      const exited = once(reader, 'exit')
      await k('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/loud', '--timeout=60s')
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

describe('up with a node of real processes', () => {
  const cluster = (dataDir: string): Promise<Cluster> =>
    startCluster({ log: 'embedded', simulatedNodes: 0, dataDir, args: ['--node', 'process'] })
  let directory = ''
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'shiplog-process-up-'))
  })
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  test('finds its processes again after kill -9, and leaves none after an orderly end', async () => {
    const { kubectl } = await provideKubectl()
    const dataDir = join(directory, 'data')
    const k = async (...args: string[]): Promise<string> => {
      const done = await runCommand(kubectl, ['--kubeconfig', join(dataDir, 'kubeconfig'), ...args])
      assert.equal(done.code, 0, done.stderr)
      return done.stdout
    }
    const shown = (path: string): Promise<string> => k('get', 'pod', 'deaf', '-o', `jsonpath={${path}}`)
    const printedPid = (): Promise<number> =>
      eventually(async () => {
        const pid = Number((await k('logs', 'deaf')).trim())
        assert.ok(pid > 1)
        return pid
      })

    const first = await cluster(dataDir)
    try {
      const script = "trap '' TERM; echo $$$$; while :; do sleep 0.1; done"
      const overrides = {
        spec: {
          nodeSelector: { 'shiplog.dev/runtime': 'process' },
          tolerations: [{ key: 'shiplog.dev/runtime', operator: 'Exists' }],
        },
      }
      const run = ['run', 'deaf', '--image=none', `--overrides=${JSON.stringify(overrides)}`]
      await k(...run, '--command', '--', 'sh', '-c', script)
      await k('wait', '--for=condition=Ready', 'pod/deaf', '--timeout=60s')
      const pid = await printedPid()
      const container = await shown('.status.containerStatuses[0].containerID')
      await first.kill()
      assert.ok(existsSync(`/proc/${pid}`), 'the process ended with the cluster')

      const second = await cluster(dataDir)
      try {
        expect(await shown('.status.containerStatuses[0].containerID')).toBe(container)
        expect(await shown('.status.containerStatuses[0].restartCount')).toBe('0')
        expect(await printedPid()).toBe(pid)
        const begun = performance.now()
        expect(await second.stop()).toBe(0)
        expect(performance.now() - begun).toBeLessThan(5_000)
        assert.ok(!existsSync(`/proc/${pid}`), 'the process was left behind')
      } finally {
        await second.kill()
      }

      const third = await cluster(dataDir)
      try {
        await eventually(async () => expect(await shown('.status.containerStatuses[0].restartCount')).toBe('1'))
        expect(await shown('.status.containerStatuses[0].lastState.terminated.exitCode')).toBe('137')
        expect((await k('logs', 'deaf', '--previous')).trim()).toBe(String(pid))
      } finally {
        await third.stop()
      }
    } finally {
      await first.kill()
    }
  }, 120_000)
})

function residentBytes(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(found![1]) * 1024
}
