import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createManualClock } from '@shiplog/testing/manual-clock'
import { silentLogger } from '@shiplog/runtime/logger'
import { afterEach, expect, test } from 'vitest'
import type { ListedContainer } from './cri-messages.ts'
import { rotateLogs } from './cri-log-rotation.ts'

const directory = mkdtempSync(join(tmpdir(), 'shiplog-rotation-'))
afterEach(() => rmSync(directory, { recursive: true, force: true }))

test('a file that is too large gets a number, the runtime begins another, the oldest go', async () => {
  const folder = join(directory, 'pods', 'default_web_u-1', 'main')
  mkdirSync(folder, { recursive: true })
  const current = join(folder, '2.log')
  const container = (state: ListedContainer['state']): ListedContainer => ({
    ...{ id: 'c1', image: null, imageRef: '', podSandboxId: 's', state, createdAt: '0', metadata: { name: 'main', attempt: 2 } },
    labels: {
      'io.kubernetes.pod.name': 'web',
      'io.kubernetes.pod.namespace': 'default',
      'io.kubernetes.pod.uid': 'u-1',
      'io.kubernetes.container.name': 'main',
    },
  })
  const reopened: string[] = []
  let state: ListedContainer['state'] = 'CONTAINER_RUNNING'
  const client = {
    listContainers: async () => [container(state)],
    reopenContainerLog: async (id: string) => {
      reopened.push(id)
      writeFileSync(current, '')
    },
  }
  const deps = { client, directory, clock: createManualClock(), log: silentLogger, fileBytesMax: 10 }
  writeFileSync(current, 'short')
  await rotateLogs(deps)
  expect(reopened).toEqual([])
  for (let round = 1; round <= 5; round++) {
    writeFileSync(current, `round ${round} is long`)
    await rotateLogs(deps)
  }
  expect(reopened).toHaveLength(5)
  expect(readdirSync(folder).sort()).toEqual(['2.log', '2.log.00000002', '2.log.00000003', '2.log.00000004', '2.log.00000005'])
  expect(readFileSync(join(folder, '2.log.00000005'), 'utf8')).toBe('round 5 is long')
  state = 'CONTAINER_EXITED'
  writeFileSync(current, 'its end is long as well')
  await rotateLogs(deps)
  expect(reopened).toHaveLength(5)
})
