// Keeps CustomResourceDefinitions: gives them their names and conditions, and deletes the objects of those that go. Upstream's
// API server does this itself, and so does every gateway: what is to be done follows from the log alone, each write names
// the version that it is based on, and of several gateways that do the same one is first.
import type { ApiClient, ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { CustomResourceDefinition, CustomResourceDefinitionStatus } from '@shiplog/api/generated/types/apiextensions-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import { splitGroupResource } from '@shiplog/api/schema/schema'
import { builtInCatalogue, definitionsResource } from '@shiplog/domain/catalogue/catalogue'
import {
  cleanupFinalizer,
  type Condition,
  deletionStages,
  nextStatus,
  setCondition,
} from '@shiplog/domain/custom-resource-definition/definition-status'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { Kinds } from '../store/kinds.ts'
import type { Streams } from '../store/streams.ts'

export interface DefinitionKeeperDeps {
  /** Writes as the API server itself. */
  readonly client: ApiClient
  readonly streams: Streams
  readonly kinds: Kinds
  readonly clock: Clock
  readonly logger: Logger
}

/** While objects wait for finalizers of their own, and after a failure, it is looked again so often. */
const lookAgainMs = 500

const definitions = splitGroupResource(definitionsResource)

/** Keeps definitions until disposed. */
export function keepDefinitions(deps: DefinitionKeeperDeps): Disposable {
  const { streams, kinds, clock, logger } = deps
  const table = streams.of(definitionsResource).projection.table(definitionsResource)
  const waiting = new Set<string>(unsettled(kinds))
  const timers = new DisposableStack()
  let isRunning = false
  let isStopped = false

  function wake(): void {
    if (isRunning || isStopped) return
    isRunning = true
    void run().finally(() => {
      isRunning = false
      if (waiting.size > 0) wake()
    })
  }

  /** One at a time: who gets a name depends on who has one. */
  async function run(): Promise<void> {
    for (const name of waiting) {
      if (isStopped) return
      waiting.delete(name)
      try {
        if (await settle(deps, name)) continue
      } catch (err) {
        logger.warn({ err, definition: name }, 'failed to keep a CustomResourceDefinition')
      }
      timers.use(clock.after(lookAgainMs, () => add([name])))
    }
  }

  function add(names: Iterable<string>): void {
    for (const name of names) waiting.add(name)
    wake()
  }

  const onChange = (changes: readonly { readonly name: string }[]): void => {
    add(changes.map(({ name }) => name))
    // A name may be free now.
    add(unsettled(kinds))
  }
  table.listeners.add(onChange)
  wake()
  return {
    [Symbol.dispose]() {
      isStopped = true
      table.listeners.delete(onChange)
      timers.dispose()
    },
  }
}

function* unsettled({ current }: Kinds): Generator<string> {
  for (const { name, isUnsettled } of current.custom.values()) if (isUnsettled) yield name
}

/** Does what there is to do for a definition; false when it is to be looked at again. */
async function settle(deps: DefinitionKeeperDeps, name: string): Promise<boolean> {
  const crd = currentOf(deps, name)
  if (!crd) return true
  if (crd.metadata.deletionTimestamp !== undefined) return await finish(deps, crd)
  const basis = deps.streams.of(definitionsResource).projection.applied
  const status = nextStatus(crd, deps.kinds.current.custom.values(), deps.clock.nowMs())
  if (!status) return true
  // Another gateway may be giving the same name to another definition: who did not see that decides anew.
  const once = { matter: `definition-names/${crd.spec.group}`, round: `${crd.metadata.uid}/${crd.metadata.resourceVersion}` }
  return isDone(await writeStatus(deps, crd, status, { once, basis }))
}

function currentOf({ streams }: DefinitionKeeperDeps, name: string): CustomResourceDefinition | undefined {
  const version = streams.of(definitionsResource).projection.table(definitionsResource).current.get(name)
  return version && (version.parse() as unknown as CustomResourceDefinition)
}

const writeStatus = (
  { client }: DefinitionKeeperDeps,
  crd: CustomResourceDefinition,
  status: CustomResourceDefinitionStatus,
  { finalizers = crd.metadata.finalizers, ...decided }: Pick<ApiRequest, 'once' | 'basis'> & { readonly finalizers?: string[] } = {},
): Promise<ApiResult> =>
  client.request({
    ...decided,
    verb: 'update',
    ...definitions,
    subresource: 'status',
    name: crd.metadata.name,
    query: { fieldManager: 'kube-apiserver' },
    body: { ...crd, metadata: { ...crd.metadata, finalizers }, status } as unknown as KubeObject,
  })

/** Whoever was faster has moved the definition, or given a name of its group: it is looked at again with that change. */
const isDone = (result: ApiResult): boolean => result.ok || result.code === 409 || result.code === 404

/** Deletes the objects of a definition that goes, then lets go of it. */
async function finish(deps: DefinitionKeeperDeps, crd: CustomResourceDefinition): Promise<boolean> {
  const { finalizers = [], name } = crd.metadata
  if (!finalizers.includes(cleanupFinalizer)) return true
  const stage = await deleteObjects(deps, crd)
  const status = structuredClone(crd.status)
  setCondition(status, stage, deps.clock.nowMs())
  const isOver = stage.status === 'False'
  const left = isOver ? finalizers.filter((finalizer) => finalizer !== cleanupFinalizer) : finalizers
  if (!isOver && isSaid(crd, stage)) return false
  const result = await writeStatus(deps, crd, status, { finalizers: left })
  if (!isDone(result)) deps.logger.warn({ definition: name, result }, 'failed to finish a CustomResourceDefinition')
  return isOver && isDone(result)
}

const isSaid = ({ status }: CustomResourceDefinition, { type, reason, message }: Condition): boolean =>
  status.conditions?.some((one) => one.type === type && one.reason === reason && one.message === message) ?? false

/** How far the deletion of its objects has come. */
async function deleteObjects(
  { client, streams, kinds }: DefinitionKeeperDeps,
  { spec, status }: CustomResourceDefinition,
): Promise<Condition> {
  const { group, names } = spec
  const groupResource = `${names.plural}.${group}`
  if (builtInCatalogue().storage(groupResource)) return deletionStages.overlapping
  const isEstablished = status.conditions?.some((one) => one.type === 'Established' && one.status === 'True')
  if (!isEstablished) return deletionStages.neverEstablished
  // What others have created must be seen, and a gateway that did not know of the deletion yet has ended what it began.
  await kinds.latest()
  const table = streams.of(groupResource).projection.table(groupResource)
  if (table.current.size === 0) return deletionStages.completed
  const result = await client.request({ verb: 'deletecollection', group, resource: names.plural })
  if (!result.ok) return deletionStages.failed(result.status.message ?? '')
  return table.current.size === 0 ? deletionStages.completed : deletionStages.inProgress
}
