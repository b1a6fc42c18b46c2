// Plays a scenario on a stage (a real cluster, or reconcilers over a cluster in memory), and takes a picture at each point of rest.
import type { ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { splitGroupResource } from '@shiplog/api/schema/schema'
import { bindRequest, choose, outcomeRequest } from './pods-by-hand.ts'
import { createCamera, type Picture } from './picture.ts'
import { compared, type Scenario, type Step } from './scenario.ts'

const kubeletTurnsMax = 30
const conflictsMax = 20

/** Where a scenario is played: one namespace of a cluster. */
export interface Stage {
  readonly namespace: string
  request(request: ApiRequest): Promise<ApiResult>
  list(groupResource: string): Promise<readonly KubeObject[]>
  /** `deployment-controller ScalingReplicaSet Scaled up …`, each once. */
  events(): Promise<readonly string[]>
  /** Waits until controllers have nothing more to do. */
  rest(): Promise<void>
  passSeconds(seconds: number): Promise<void>
  now(): string
}

/** One picture for each step. */
export async function play({ steps }: Scenario, stage: Stage): Promise<readonly Picture[]> {
  const pictures: Picture[] = []
  const takePicture = createCamera(stage, compared)
  for (const step of steps) {
    await take(step, stage)
    await stage.rest()
    pictures.push(await takePicture())
  }
  return pictures
}

async function take(step: Step, stage: Stage): Promise<void> {
  if ('create' in step) return await create(stage, step.create)
  if ('patch' in step) {
    const subresource = step.subresource === undefined ? {} : { subresource: step.subresource }
    const patch = { verb: 'patch', patchType: 'application/merge-patch+json', body: step.with } as const
    return await must(stage, { ...patch, ...addressOf(stage, step.patch), ...subresource })
  }
  if ('remove' in step) {
    const { propagation } = step
    const options = { apiVersion: 'v1', kind: 'DeleteOptions', ...(propagation ? { propagationPolicy: propagation } : {}) }
    return await must(stage, { verb: 'delete', ...addressOf(stage, step.remove), body: options })
  }
  if ('passSeconds' in step) return await stage.passSeconds(step.passSeconds)
  if ('untilSecond' in step) {
    const second = Math.floor(Date.parse(stage.now()) / 1_000) % 60
    return await stage.passSeconds((step.untilSecond - second + 60) % 60)
  }
  if ('kubelet' in step) return await playKubelet(stage, step.oneByOne ?? false)
  const pods = await podsOf(stage)
  if ('evict' in step) {
    for (const pod of choose(pods, step.evict)) await evict(stage, pod)
    return
  }
  if ('removePods' in step) {
    for (const { metadata } of choose(pods, step.removePods))
      await must(stage, { verb: 'delete', ...addressOf(stage, `pods/${metadata.name}`) })
    return
  }
  const chosen = choose(pods, step.pods)
  if (chosen.length === 0) throw new Error(`no pod to ${JSON.stringify(step)}`)
  for (const [turn, pod] of chosen.entries()) await become(stage, pod, turn, step.become)
}

const podsOf = async (stage: Stage): Promise<readonly Pod[]> => (await stage.list('pods')) as unknown as readonly Pod[]

/** A refusal is part of the scenario: that it was refused shows in the pictures. */
async function evict(stage: Stage, { metadata }: Pod): Promise<void> {
  const { name } = metadata
  const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: stage.namespace } }
  await stage.request({ verb: 'create', ...addressOf(stage, `pods/${name}`), subresource: 'eviction', body })
}

async function must(stage: Stage, request: ApiRequest): Promise<void> {
  const answer = await stage.request(request)
  if (!answer.ok) throw new Error(`${request.verb} ${request.resource}/${request.name ?? ''}: ${answer.status.message}`)
}

function addressOf(stage: Stage, target: string) {
  const slash = target.indexOf('/')
  const { group, resource } = splitGroupResource(target.slice(0, slash))
  return { group, resource, namespace: stage.namespace, name: target.slice(slash + 1) }
}

async function create(stage: Stage, manifest: JsonObject): Promise<void> {
  const apiVersion = String(manifest['apiVersion'])
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion]
  const resource = builtInRegistry().byKind(group!, version!, String(manifest['kind']))!.resource
  const body = { ...manifest, metadata: { ...(manifest['metadata'] as JsonObject), namespace: stage.namespace } }
  await must(stage, { verb: 'create', group: group!, version: version!, resource, namespace: stage.namespace, body })
}

/** Binds the pod if need be, and reports; again when a controller was faster. */
async function become(stage: Stage, pod: Pod, turn: number, outcome: Parameters<typeof outcomeRequest>[1]): Promise<void> {
  const binding = outcome === 'gone' ? undefined : bindRequest(pod, turn)
  if (binding) {
    const bound = await stage.request(binding)
    // What was seen may be a moment old: it was bound, or went, meanwhile.
    if (!bound.ok && bound.status.code !== 409 && bound.status.code !== 404) throw new Error(bound.status.message)
  }
  for (let tries = 0; tries < conflictsMax; tries++) {
    const { name } = pod.metadata
    const now = await stage.request({ verb: 'get', ...addressOf(stage, `pods/${name}`) })
    if (!now.ok) return
    const answer = await stage.request(outcomeRequest(now.object as unknown as Pod, outcome, stage.now()))
    if (answer.ok || answer.status.code === 404) return
    if (answer.status.code !== 409) throw new Error(answer.status.message)
  }
  throw new Error(`no report of ${pod.metadata.name} was taken`)
}

async function playKubelet(stage: Stage, oneByOne: boolean): Promise<void> {
  for (let turn = 0; turn < kubeletTurnsMax; turn++) {
    await stage.rest()
    const pods = choose(await podsOf(stage), {})
    const ending = pods.filter(({ metadata }) => metadata.deletionTimestamp !== undefined)
    const waiting = pods.filter(
      ({ metadata, status }) => metadata.deletionTimestamp === undefined && status.phase === 'Pending',
    )
    if (ending.length === 0 && waiting.length === 0) return
    const due = [...ending, ...waiting].slice(0, oneByOne ? 1 : undefined)
    for (const [index, pod] of due.entries())
      await become(stage, pod, index, pod.metadata.deletionTimestamp === undefined ? 'ready' : 'gone')
  }
  throw new Error('pods do not come to rest')
}
