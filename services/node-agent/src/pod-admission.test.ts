import type { Node, Pod } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import { expect, test } from 'vitest'
import { podNeeds, podRejection } from './pod-admission.ts'

const pod = (requests: JsonObject = {}, more: JsonObject = {}, labels?: JsonObject): Pod =>
  ({
    metadata: { name: 'web', uid: JSON.stringify([requests, more]), generation: 1, labels },
    spec: { containers: [{ name: 'main', resources: { requests }, ...more['container'] }], ...more['spec'] },
  }) as unknown as Pod
const port = (hostPort: number): JsonObject => ({ container: { ports: [{ containerPort: 80, hostPort }] } })

const node = {
  metadata: { name: 'n', labels: { disk: 'ssd' } },
  spec: { taints: [{ key: 'broken', effect: 'NoExecute' }, { key: 'full', effect: 'NoSchedule' }] },
  status: { allocatable: { cpu: '2', memory: '1Gi', 'ephemeral-storage': '1Gi', pods: '3', 'example.com/gpu': '1' } },
} as unknown as Node
const tolerant = { tolerations: [{ key: 'broken', operator: 'Exists' }] }
const others = [pod({ cpu: '1500m', 'example.com/gpu': '1' }), pod({}, port(443))].map((one) => podNeeds(one))

const enough = (name: string, requested: number, used: number, capacity: number): string =>
  `Node didn't have enough resource: ${name}, requested: ${requested}, used: ${used}, capacity: ${capacity}`

test.each<[what: string, pod: Pod, told: string | undefined]>([
  ['that fits', pod({ cpu: '500m', memory: '1Gi' }, { spec: tolerant }), undefined],
  ['without enough cpu', pod({ cpu: '501m' }, { spec: tolerant }), `OutOfcpu: ${enough('cpu', 501, 1500, 2000)}`],
  ['without enough memory', pod({ memory: '2Gi' }, { spec: tolerant }), `OutOfmemory: ${enough('memory', 2 ** 31, 0, 2 ** 30)}`],
  [
    'without an extended resource',
    pod({ 'example.com/gpu': '1' }, { spec: tolerant }),
    `OutOfexample.com/gpu: ${enough('example.com/gpu', 1, 1, 1)}`,
  ],
  ['with an extended resource that the node does not know', pod({ 'example.com/other': '1' }, { spec: tolerant }), undefined],
  [
    'whose port is taken',
    pod({}, { ...port(443), spec: tolerant }),
    "NodePorts: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
  ],
  ['with a port of its own', pod({}, { ...port(80), spec: tolerant }), undefined],
  [
    'that wants other labels',
    pod({}, { spec: { ...tolerant, nodeSelector: { disk: 'hdd' } } }),
    "NodeAffinity: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
  ],
  ['that wants these labels', pod({}, { spec: { ...tolerant, nodeSelector: { disk: 'ssd' } } }), undefined],
  [
    'that does not tolerate NoExecute; NoSchedule is no matter here',
    pod(),
    "TaintToleration: Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate",
  ],
  [
    'of another system',
    pod({}, { spec: { ...tolerant, os: { name: 'windows' } } }),
    "PodOSNotSupported: Failed to admit pod as the OS field doesn't match node OS",
  ],
  [
    'with the label of another system',
    pod({}, { spec: tolerant }, { 'kubernetes.io/os': 'windows' }),
    "PodOSSelectorNodeLabelDoesNotMatch: Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
  ],
])('a pod %s', (_what, one, told) => {
  const why = podRejection(one, podNeeds(one), node, others)
  expect(why && `${why.reason}: ${why.message}`).toBe(told)
})

test('a node takes no more pods than it says', () => {
  const three = [...others, podNeeds(pod({ memory: '1' }))]
  const one = pod({}, { spec: tolerant })
  expect(podRejection(one, podNeeds(one), node, three)).toEqual({
    reason: 'OutOfpods',
    message: enough('pods', 1, 3, 3),
  })
})

test('what a pod needs is read anew when its specification changes, and not before', () => {
  const [one, same] = [pod({ cpu: '1' }), pod({ cpu: '2' })]
  const needs = podNeeds(one)
  expect(podNeeds(same, needs)).toBe(needs)
  expect(podNeeds({ ...same, metadata: { ...same.metadata, generation: 2 } }, needs).shape.requests.cpu).toBe(2000)
})
