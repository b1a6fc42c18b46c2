import { expect, test } from 'vitest'
import { validateClaimStatusUpdate } from './claim-status-validation.ts'

const result = { request: 'gpu', driver: 'gpu.example.com', pool: 'node-1', device: 'gpu-0' }
const device = { driver: 'gpu.example.com', pool: 'node-1', device: 'gpu-0' }
const consumer = { resource: 'pods', name: 'p', uid: 'u' }
const allocation = { devices: { results: [result] } }

const claim = (status: object, metadata: object = {}): any => ({
  apiVersion: 'resource.k8s.io/v1',
  kind: 'ResourceClaim',
  metadata: { name: 'c', namespace: 'n', ...metadata },
  spec: { devices: { requests: [{ name: 'gpu', exactly: { deviceClassName: 'gpus' } }] } },
  status,
})

const fieldsOf = (next: object, before: object = {}, metadata: object = {}): (string | undefined)[] =>
  validateClaimStatusUpdate(claim(next, metadata), claim(before)).map(({ field }) => field)

test('an allocated and reserved claim with the status of its device is right', () => {
  const data = { interfaceName: 'net1', hardwareAddress: 'ea:9f', ips: ['10.9.8.7/24', '2001:db8::1/64'] }
  const condition = { type: 'Ready', status: 'True', reason: 'Up', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' }
  const devices = [{ ...device, conditions: [condition], data: { a: 1 }, networkData: data }]
  expect(fieldsOf({ allocation, reservedFor: [consumer], devices })).toEqual([])
})

test.each([
  ['who has it reserved needs a name', { allocation, reservedFor: [{ ...consumer, name: '' }] }, 'status.reservedFor[0].name'],
  ['nobody reserves twice', { allocation, reservedFor: [consumer, consumer] }, 'status.reservedFor[1]'],
  ['only what is allocated is reserved', { reservedFor: [consumer] }, 'status.reservedFor'],
  ['a device that is not allocated has no status', { allocation, devices: [{ ...device, device: 'gpu-1' }] }, 'status.devices[0]'],
  [
    'an address has one form',
    { allocation, devices: [{ ...device, networkData: { ips: ['10.9.8.07/24'] } }] },
    'status.devices[0].networkData.ips[0]',
  ],
  ['data is an object', { allocation, devices: [{ ...device, data: [1] }] }, 'status.devices[0].data'],
  [
    'what is allocated was asked for',
    { allocation: { devices: { results: [{ ...result, request: 'other' }] } } },
    'status.allocation.devices.results[0].request',
  ],
  [
    'a share is a UUID in small letters',
    { allocation: { devices: { results: [{ ...result, shareID: 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11' }] } } },
    'status.allocation.devices.results[0].shareID',
  ],
  [
    'conditions to bind need conditions of failure',
    { allocation: { devices: { results: [{ ...result, bindingConditions: ['ready'] }] } } },
    'status.allocation.devices.results[0].bindingFailureConditions',
  ],
  [
    'a configuration comes from the claim or the class',
    { allocation: { devices: { results: [result], config: [{ source: 'FromAir', opaque: { driver: 'd', parameters: {} } }] } } },
    'status.allocation.devices.config[0].source',
  ],
])('%s', (_, status, field) => {
  expect(fieldsOf(status)).toEqual([field])
})

test('an allocation does not change', () => {
  const other = { devices: { results: [{ ...result, device: 'gpu-1' }] } }
  expect(fieldsOf({ allocation: other }, { allocation })).toEqual(['status.allocation'])
})

test('of a claim that goes nobody becomes a new user', () => {
  const before = { allocation, reservedFor: [consumer] }
  const going = { deletionTimestamp: '2026-01-01T00:00:00Z' }
  expect(fieldsOf(before, before, going)).toEqual([])
  expect(fieldsOf({ allocation, reservedFor: [consumer, { ...consumer, uid: 'v' }] }, before, going)).toEqual([
    'status.reservedFor',
  ])
})
