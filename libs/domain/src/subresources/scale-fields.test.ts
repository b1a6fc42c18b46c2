import { expect, test } from 'vitest'
import { fieldsAfterScale, scaleFieldsOf } from './scale-fields.ts'

const entry = (manager: string, fieldsV1: object, more: object = {}): any => ({
  manager,
  operation: 'Update',
  apiVersion: 'apps/v1',
  time: '2026-01-01T00:00:00Z',
  fieldsType: 'FieldsV1',
  fieldsV1,
  ...more,
})
const replicas = { 'f:spec': { 'f:replicas': {} } }
const kubectl = entry('kubectl', { 'f:metadata': { 'f:labels': {} }, 'f:spec': { 'f:replicas': {}, 'f:template': {} } })
const other = entry('other', { 'f:spec': { 'f:paused': {} } })

test('a Scale is owned by who owns the replicas, in its own version', () => {
  expect(scaleFieldsOf([kubectl, other])).toEqual([{ ...kubectl, apiVersion: 'autoscaling/v1', fieldsV1: replicas }])
  expect(scaleFieldsOf(undefined)).toEqual([])
})

test('who still owns the replicas keeps all, whom they were taken from keeps the rest', () => {
  const applier = entry('me', replicas, { operation: 'Apply', subresource: 'scale', apiVersion: 'autoscaling/v1' })
  const both = [...scaleFieldsOf([kubectl]), applier]
  const added = { ...applier, apiVersion: 'apps/v1' }
  expect(fieldsAfterScale([kubectl, other], both, 'apps/v1')).toEqual([kubectl, other, added])
  const left = { ...kubectl, fieldsV1: { 'f:metadata': { 'f:labels': {} }, 'f:spec': { 'f:template': {} } } }
  expect(fieldsAfterScale([kubectl, other], [applier], 'apps/v1')).toEqual([left, other, added])
})

test('nothing stays of an entry that owned nothing but the replicas', () => {
  const only = entry('scaler', replicas)
  expect(fieldsAfterScale([only, other], [], 'apps/v1')).toEqual([other])
})
