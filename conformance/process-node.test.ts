// Real kubectl against a cluster with a node whose pods are processes of this machine.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { logCases } from './cases/logs.ts'
import { runCommand } from './src/command.ts'
import { pause } from './src/context.ts'
import { benchForTests, declareCases } from './src/suite.ts'

describe('kubectl against a node of real processes', () => {
  const running = benchForTests('embedded', ['--node', 'process'])
  declareCases(logCases, running)

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

function residentBytes(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(found![1]) * 1024
}
