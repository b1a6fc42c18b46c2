import type { HPAScalingRules, HorizontalPodAutoscalerSpec } from '@shiplog/api/generated/types/autoscaling-v2'
import { describe, expect, test } from 'vitest'
import { limitScaling, noHistory, type ScalingHistory, type Stamped, withRescale } from './scaling-limits.ts'

const nowMs = 10_000_000
const ago = (seconds: number): number => nowMs - seconds * 1_000
const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }

interface Asked {
  readonly min?: number
  readonly max?: number
  readonly current: number
  readonly wanted: number
  readonly up?: HPAScalingRules
  readonly down?: HPAScalingRules
  readonly history?: Partial<ScalingHistory>
}

function limited({ min = 1, max = 100, current, wanted, up, down, history }: Asked) {
  const rules = { selectPolicy: 'Max' }
  const behavior = up || down ? { scaleUp: { ...rules, ...up }, scaleDown: { ...rules, ...down } } : undefined
  const spec: HorizontalPodAutoscalerSpec = {
    ...{ scaleTargetRef, minReplicas: min, maxReplicas: max },
    ...(behavior ? { behavior } : {}),
  }
  const { replicas, ableToScale, scalingLimited } = limitScaling({
    ...{ spec, current, wanted, nowMs },
    history: { ...noHistory, ...history },
  })
  return `${replicas} ${ableToScale.reason} ${scalingLimited.status === 'True' ? '' : 'not '}limited: ${scalingLimited.reason}`
}

describe('without rules of its own an autoscaler', () => {
  const recent: readonly Stamped[] = [[8, ago(299)], [20, ago(301)]]
  test.each<[string, Asked, string]>([
    ['does what is wanted', { current: 3, wanted: 5 }, '5 ReadyForNewScale not limited: DesiredWithinRange'],
    ['at most doubles', { current: 5, wanted: 30 }, '10 ReadyForNewScale limited: ScaleUpLimit'],
    ['may always have four', { current: 1, wanted: 30 }, '4 ReadyForNewScale limited: ScaleUpLimit'],
    ['keeps to its maximum', { current: 5, wanted: 9, max: 7 }, '7 ReadyForNewScale limited: TooManyReplicas'],
    ['keeps to its minimum', { current: 5, wanted: 0, min: 2 }, '2 ReadyForNewScale limited: TooFewReplicas'],
    ['waits five minutes before it goes down', { current: 8, wanted: 3, history: { recommendations: recent } }, '8 ScaleDownStabilized not limited: DesiredWithinRange'],
    ['goes down to the highest of five minutes', { current: 10, wanted: 3, history: { recommendations: recent } }, '8 ScaleDownStabilized not limited: DesiredWithinRange'],
  ])('%s', (_what, asked, wanted) => {
    expect(limited(asked)).toBe(wanted)
  })
})

describe('with rules an autoscaler', () => {
  const instant = { stabilizationWindowSeconds: 0 }
  const pods = (value: number, periodSeconds = 60) => ({ type: 'Pods', value, periodSeconds })
  const percent = (value: number, periodSeconds = 60) => ({ type: 'Percent', value, periodSeconds })
  test.each<[string, Asked, string]>([
    ['adds as many as a policy allows', { current: 10, wanted: 50, up: { ...instant, policies: [pods(4)] } }, '14 ReadyForNewScale limited: ScaleUpLimit'],
    ['rounds percentages up', { current: 3, wanted: 50, up: { ...instant, policies: [percent(10)] } }, '4 ReadyForNewScale limited: ScaleUpLimit'],
    ['takes the policy that allows most', { current: 10, wanted: 50, up: { ...instant, policies: [pods(4), percent(100)] } }, '20 ReadyForNewScale limited: ScaleUpLimit'],
    ['or the one that allows least', { current: 10, wanted: 50, up: { ...instant, selectPolicy: 'Min', policies: [pods(4), percent(100)] } }, '14 ReadyForNewScale limited: ScaleUpLimit'],
    ['adds none when that is off', { current: 10, wanted: 50, up: { ...instant, selectPolicy: 'Disabled' } }, '10 ReadyForNewScale limited: ScaleUpLimit'],
    ['reckons with what was added in the period', { current: 10, wanted: 50, up: { ...instant, policies: [pods(4)] }, history: { ups: [[3, ago(30)], [9, ago(61)]] } }, '11 ReadyForNewScale limited: ScaleUpLimit'],
    ['and with what was removed', { current: 10, wanted: 50, up: { ...instant, policies: [pods(4)] }, history: { downs: [[3, ago(30)]] } }, '17 ReadyForNewScale limited: ScaleUpLimit'],
    ['never goes down because of that', { current: 10, wanted: 50, up: { ...instant, policies: [pods(4)] }, history: { ups: [[9, ago(1)]] } }, '10 ReadyForNewScale limited: ScaleUpLimit'],
    ['removes as many as a policy allows', { current: 10, wanted: 1, down: { ...instant, policies: [pods(4)] } }, '6 ReadyForNewScale limited: ScaleDownLimit'],
    ['rounds what remains down', { current: 9, wanted: 1, down: { ...instant, policies: [percent(50)] } }, '4 ReadyForNewScale limited: ScaleDownLimit'],
    ['takes the policy that removes least', { current: 10, wanted: 1, down: { ...instant, selectPolicy: 'Min', policies: [pods(1), percent(50)] } }, '9 ReadyForNewScale limited: ScaleDownLimit'],
    ['removes none when that is off', { current: 10, wanted: 1, down: { ...instant, selectPolicy: 'Disabled' } }, '10 ReadyForNewScale limited: ScaleDownLimit'],
    ['keeps to its minimum', { current: 10, wanted: 1, min: 3, down: { ...instant, policies: [percent(100)] } }, '3 ReadyForNewScale limited: TooFewReplicas'],
    ['keeps to its maximum', { current: 10, wanted: 50, max: 12, up: { ...instant, policies: [percent(900)] } }, '12 ReadyForNewScale limited: TooManyReplicas'],
    [
      'goes up by the lowest of its window',
      { current: 5, wanted: 20, up: { stabilizationWindowSeconds: 60, policies: [percent(900)] }, history: { recommendations: [[7, ago(59)], [5, ago(60)]] } },
      '7 ScaleUpStabilized not limited: DesiredWithinRange',
    ],
    [
      'goes down by the highest of its window',
      { current: 20, wanted: 5, down: { stabilizationWindowSeconds: 60, policies: [percent(100)] }, history: { recommendations: [[9, ago(59)], [20, ago(60)]] } },
      '9 ScaleDownStabilized not limited: DesiredWithinRange',
    ],
    [
      'waits five minutes before it goes down unless told otherwise',
      { current: 20, wanted: 5, down: { policies: [percent(100)] }, history: { recommendations: [[18, ago(299)]] } },
      '18 ScaleDownStabilized not limited: DesiredWithinRange',
    ],
  ])('%s', (_what, asked, wanted) => {
    expect(limited({ up: { ...instant, policies: [percent(100)] }, down: { ...instant, policies: [percent(100)] }, ...asked })).toBe(wanted)
  })

  test('remembers what it did as long as a policy asks for it, and recommendations as long as a window does', () => {
    const rules = { scaleUp: { policies: [pods(1, 60)] }, scaleDown: { policies: [pods(1, 120)] } }
    const spec = { scaleTargetRef, maxReplicas: 9, behavior: rules }
    const before: ScalingHistory = { recommendations: [], ups: [[1, ago(121)]], downs: [[2, ago(119)]] }
    expect(withRescale(before, spec, [3, 5], nowMs)).toEqual({ recommendations: [], ups: [[2, nowMs]], downs: [[2, ago(119)]] })
    expect(withRescale(before, spec, [5, 3], nowMs).downs).toEqual([[2, ago(119)], [2, nowMs]])
    expect(withRescale(before, { scaleTargetRef, maxReplicas: 9 }, [3, 5], nowMs)).toBe(before)
    const history = { ...noHistory, recommendations: [[9, ago(301)], [4, ago(300)]] as const }
    expect(limitScaling({ spec: { scaleTargetRef, maxReplicas: 9 }, current: 3, wanted: 3, history, nowMs }).recommendations).toEqual([
      [4, ago(300)],
      [3, nowMs],
    ])
  })
})
