import type { KubeObject } from '@shiplog/api/kube-object'
import { builtInCatalogue } from '@shiplog/domain/catalogue/catalogue'
import { expect, test } from 'vitest'
import { fixedKinds } from '../store/kinds.ts'
import type { Answer } from './answer.ts'
import { createInProcessClient, objectOf, requestOf } from './in-process.ts'

const catalogue = builtInCatalogue()
const user = { name: 'system:kube-scheduler', groups: [] }
const pods = { group: '', resource: 'pods' }

const clientOver = (answer: Answer) =>
  createInProcessClient(
    {
      operations: { kinds: fixedKinds(catalogue), nowMs: () => 0, dispatch: () => Promise.resolve(answer) },
      attempts: { record: async () => undefined },
      ids: { uuid: () => 'id', integer: () => 0 } as never,
    },
    user,
  )

test('names the component as the field manager', () => {
  const kind = catalogue.kind(catalogue.storage('pods')!)
  expect(requestOf(kind, user, { ...pods, verb: 'get', name: 'a' }, 'id').defaultManager).toBe('kube-scheduler')
})

test('shows an object in the version that was asked for', () => {
  const v1 = catalogue.kind(catalogue.resource('autoscaling', 'v1', 'horizontalpodautoscalers')!)
  const object: KubeObject = {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'a', uid: 'u', creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { maxReplicas: 3 },
  }
  const answer = { kind: 'object', code: 200, object, sequence: 1, warnings: [] } as const
  expect(objectOf(v1, answer).apiVersion).toBe('autoscaling/v1')
})

test('is told the Status, not the list, of a collection that was deleted', async () => {
  const deleted = { kind: 'Status', status: 'Success' }
  const meta = { resourceVersion: '7' }
  const client = clientOver({ kind: 'list', code: 200, versions: [], meta, deleted, sequence: 9, warnings: [] })
  const result = await client.request({ ...pods, verb: 'deletecollection', namespace: 'a' })
  expect(result).toEqual({ ok: true, code: 200, sequence: 9, object: deleted })
})

test('is refused a stream', async () => {
  const client = clientOver({ kind: 'stream', open: () => Promise.resolve(undefined) })
  expect(await client.request({ ...pods, verb: 'get', subresource: 'log', name: 'a' })).toMatchObject({ code: 400 })
})
