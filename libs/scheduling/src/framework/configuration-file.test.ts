import { describe, expect, test } from 'vitest'
import { Snapshot } from '../snapshot/snapshot.ts'
import { testNode, testPod } from '../testing/test-objects.ts'
import { defaultConfiguration } from './configuration.ts'
import { parseConfigurationFile } from './configuration-file.ts'
import { explain } from './explain.ts'
import { createProfiles } from './profiles.ts'
import { schedule } from './schedule.ts'

const upstream = (rest: string) =>
  parseConfigurationFile(`apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n${rest}`)
const plugin = (rest: string, name: string) => upstream(rest).profiles[0]!.plugins.find((choice) => choice.name === name)
const names = (rest: string) => upstream(rest).profiles[0]!.plugins.map(({ name }) => name)

describe('a KubeSchedulerConfiguration', () => {
  test('without anything is the default configuration', () => {
    expect(upstream('')).toEqual({ profiles: [defaultConfiguration], notices: [] })
  })

  test('has several profiles, with names, plugins, weights and arguments of their own, and one back-off', () => {
    const { profiles } = upstream(`
podInitialBackoffSeconds: 3
podMaxBackoffSeconds: 40
profiles:
- schedulerName: spreading
- schedulerName: packing
  plugins:
    multiPoint: {disabled: [{name: ImageLocality}], enabled: [{name: TaintToleration, weight: 9}]}
  pluginConfig:
  - name: NodeResourcesFit
    args:
      apiVersion: kubescheduler.config.k8s.io/v1
      kind: NodeResourcesFitArgs
      scoringStrategy: {type: MostAllocated, resources: [{name: cpu, weight: 5}]}
`)
    expect(profiles.map(({ schedulerName }) => schedulerName)).toEqual(['spreading', 'packing'])
    expect(profiles.map(({ podInitialBackoffSeconds, podMaxBackoffSeconds }) => [podInitialBackoffSeconds, podMaxBackoffSeconds])).toEqual([[3, 40], [3, 40]])
    expect(profiles[0]!.plugins).toEqual(defaultConfiguration.plugins)
    const packing = new Map(profiles[1]!.plugins.map((choice) => [choice.name, choice]))
    expect(packing.has('ImageLocality')).toBe(false)
    expect(packing.get('TaintToleration')).toEqual({ name: 'TaintToleration', weight: 9 })
    expect(packing.get('NodeResourcesFit')!.args).toEqual({ strategy: 'MostAllocated', resources: [{ name: 'cpu', weight: 5 }] })
    const ready = createProfiles(profiles)
    expect(ready.of('packing')!.hash).not.toBe(ready.of('spreading')!.hash)
    expect(ready.of('default-scheduler')).toBeUndefined()
  })

  test('disables all, and enables some', () => {
    const text = 'profiles: [{plugins: {multiPoint: {disabled: [{name: "*"}], enabled: [{name: PrioritySort}, {name: NodeName}]}}}]'
    expect(names(text)).toEqual(['PrioritySort', 'NodeName'])
  })

  test('takes away a score and leaves the filter, or the other way round', () => {
    const at = (point: string, name: string) => `profiles: [{plugins: {${point}: {disabled: [{name: ${name}}]}}}]`
    expect(plugin(at('score', 'TaintToleration'), 'TaintToleration')!.without).toEqual(['score'])
    const snapshot = new Snapshot()
    snapshot.setNode(testNode('a', { spec: { taints: [{ key: 'k', effect: 'NoSchedule' }] } }))
    const pod = snapshot.readPod(testPod('p'))
    const decide = (text: string) => schedule(pod, snapshot, createProfiles(upstream(text).profiles).first, 0)
    expect(decide(at('score', 'TaintToleration')).failure?.plugins).toEqual(['TaintToleration'])
    expect(decide(at('filter', 'TaintToleration')).node).toBe('a')
    snapshot.setNode(testNode('a'))
    const scored = (text: string) =>
      explain(pod, snapshot, createProfiles(upstream(text).profiles).first, 0).nodes[0]!.scores.map((one) => one.plugin)
    expect(scored(at('filter', 'TaintToleration'))).toContain('TaintToleration')
    expect(scored(at('score', 'TaintToleration'))).not.toContain('TaintToleration')
    expect(scored(at('score', '"*"'))).toEqual([])
  })

  test('puts a plugin back at one point alone', () => {
    const text = `profiles: [{plugins: {multiPoint: {disabled: [{name: TaintToleration}]}, score: {enabled: [{name: TaintToleration, weight: 7}]}}}]`
    const choice = plugin(text, 'TaintToleration')!
    expect(choice.weight).toBe(7)
    expect(choice.without).toContain('filter')
    expect(choice.without).not.toContain('score')
  })

  test('tells what makes no difference here', () => {
    expect(upstream('parallelism: 4\npercentageOfNodesToScore: 30').notices).toEqual([
      'parallelism is ignored: decisions are made one after the other',
      'percentageOfNodesToScore is ignored: every node is scored',
    ])
  })

  test.each([
    ['extenders: [{urlPrefix: "http://x", bindVerb: bind}]', 'extenders[0].bindVerb: extenders that bind or preempt are not supported'],
    ['extenders: [{urlPrefix: "http://x", prioritizeVerb: p}]', 'extenders[0].weight: must have a positive weight'],
    ['extenders: [{urlPrefix: "ftp://x"}]', 'is no http URL'],
    ['extenders: [{urlPrefix: "http://x", httpTimeout: soon}]', 'soon is no duration'],
    [
      'extenders: [{urlPrefix: "http://x", managedResources: [{name: a/b}]}, {urlPrefix: "http://y", managedResources: [{name: a/b}]}]',
      'extenders[1].managedResources: a/b: duplicate extender managed resource name',
    ],
    ['profiles: [{plugins: {fliter: {}}}]', 'plugins.fliter is no extension point'],
    ['profiles: [{pluginConfig: [{name: Nobody}]}]', 'plugin "Nobody" is not known'],
    ['podInitialBackoffSeconds: 0', 'must be greater than 0'],
    ['podMaxBackoffSeconds: 0.5', 'must be greater than or equal'],
  ])('%s is refused', (text, message) => {
    expect(() => upstream(text)).toThrow(message)
  })

  test('of another version is refused, and so are two profiles of one name and queues in two orders', () => {
    expect(() => parseConfigurationFile('kind: KubeSchedulerConfiguration\napiVersion: kubescheduler.config.k8s.io/v1beta3')).toThrow('is not known')
    expect(() => createProfiles(upstream('profiles: [{}, {}]').profiles)).toThrow('"default-scheduler" is there twice')
    const unordered = 'profiles: [{plugins: {queueSort: {disabled: [{name: "*"}]}}}]'
    expect(() => createProfiles(upstream(unordered).profiles)).toThrow('exactly one queue sort plugin')
  })
})
