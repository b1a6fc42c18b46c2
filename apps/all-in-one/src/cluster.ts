// The whole cluster in one process: log, gateway, controllers, scheduler, node agents. It composes the services and
// starts them so that nothing waits for what it does not need; it stops them in the opposite order. No service knows
// another: they meet here.
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type ApiGateway, createApiGateway } from '@shiplog/api-gateway/api-gateway'
import { readServerFlags, type ServerFlags } from '@shiplog/api-gateway/configuration/server-flags'
import { keySetPath } from '@shiplog/api-gateway/access/service-account-tokens'
import { bootGateway } from '@shiplog/api-gateway/boot'
import type { AddressPool } from '@shiplog/api/address-pool'
import type { IpRanges } from '@shiplog/api/ip-address'
import { type ComponentState, createComponentPods } from '@shiplog/control-plane/pods/component-pods'
import { createCertificateSigner } from '@shiplog/control-plane/identity/certificate-signer'
import { createTokenSigner } from '@shiplog/control-plane/identity/signed-token'
import { signingKeyOf } from '@shiplog/control-plane/identity/token-keys'
import { defaultIssuer } from '@shiplog/control-plane/identity/token-claims'
import { createMemoryBus } from '@shiplog/events/bus/memory-bus'
import type { ClusterLog } from '@shiplog/events/event-log'
import type { RecordCodec } from '@shiplog/feed/record-codec'
import { createObjectFeed, type LogObjectFeed } from '@shiplog/feed/object-feed-from-log'
import { configurationFileIn, ensureConfigurationFile } from '@shiplog/encryption/configuration-file'
import { openEncryption } from '@shiplog/encryption/open-encryption'
import { defaultServiceRanges } from '@shiplog/domain/service/ip-range'
import { apiPort, doorAddress } from '@shiplog/node/containerd/network'
import type { RegistryMirror } from '@shiplog/node/containerd/registry-mirrors'
import { thisMachine } from '@shiplog/node/machine'
import { createSimulatedRuntime, type SimulatedRuntimeOptions } from '@shiplog/node/simulated-runtime'
import { simulatedHost } from '@shiplog/node-agent/hosts/simulated-host'
import { createNodeAgent } from '@shiplog/node-agent/node-agent'
import { controlPlaneNode, controlPlaneNodeName } from '@shiplog/node-agent/node-object'
import { type Clock, systemClock } from '@shiplog/runtime/clock'
import { giveBackMemory } from '@shiplog/runtime/give-back-memory'
import { type Ids, systemIds } from '@shiplog/runtime/ids'
import type { Logger } from '@shiplog/runtime/logger'
import { advertisedAddress } from '@shiplog/runtime/machine-address'
import { createMetricsRegistry, gauge, processSamples } from '@shiplog/runtime/metrics'
import { workQueueSamples } from '@shiplog/reconcile/work-queue-metrics'
import { meteredClient } from '@shiplog/api-client/client-metrics'
import { closeTree, writeSecretFile } from '@shiplog/runtime/secret-files'
import type { Service } from '@shiplog/runtime/service'
import { shiplogVersion } from '@shiplog/runtime/version'
import { createControllerManager } from '@shiplog/controllers/controller-manager'
import { createScheduler, type SchedulerDeps } from '@shiplog/scheduler/scheduler'
import { shareSnapshots } from '@shiplog/events/commit/shared-snapshot'
import { guardLog, markOf } from '@shiplog/events/integrity/guarded-log'
import { dnsAddress, dnsCertificate, dnsPodLabels, dnsUser, dnsObjects, type DnsReplica } from './dns-part.ts'
import { ensureObjects, networkPolicyObjects } from './ensure-objects.ts'
import { createIngressPart, ingressCertificate, ingressObjects, type IngressPart, type IngressPorts, ingressUser } from './ingress-part.ts'
import { writeKubeconfig } from './kubeconfig.ts'
import { lockDirectory } from '@shiplog/runtime/directory-lock'
import { type LogChoice, openLog, type OpenLogOptions } from './open-log.ts'
import { loadPki } from './pki.ts'
import { tellReading } from './reading-progress.ts'
import { ofLives, type Part } from './shown-lives.ts'
import { createSqlPart } from './sql-part.ts'

export interface ClusterOptions {
  readonly dataDir: string
  /** Which controllers run, by upstream's names: `*,-cronjob-controller`; all when absent. */
  readonly controllers?: readonly string[]
  /** The profiles of the scheduler; upstream's default one when absent. */
  readonly schedulerProfiles?: NonNullable<SchedulerDeps['profiles']>
  /** 0 takes any free port. */
  readonly port: number
  /** Default 127.0.0.1. */
  readonly host?: string
  readonly log: LogChoice
  readonly simulatedNodes: number
  /** A node whose pods are processes of this machine, run as the user who runs this; see docs/process-nodes.md. */
  readonly processNode?: boolean
  /** How many nodes whose pods run in containerd, each in namespaces of its own; see docs/containers.md. */
  readonly containerNodes?: number
  /** Where their images come from instead of where the names say. */
  readonly registryMirrors?: readonly RegistryMirror[]
  /** Settings of theirs by the kubelet's flags. */
  readonly kubeletArguments?: readonly string[]
  /** Where the ingress listens; there is none when absent. See docs/ingress.md. */
  readonly ingress?: IngressPorts | undefined
  /** Path of a static token file (`token,user,uid,"group1,group2"` a line). */
  readonly tokenAuthFile?: string
  /** Flags of the API server that name files: audit, authentication, authorization. */
  readonly serverFlags?: ServerFlags
  /** Admission plugins to leave out, by upstream's names. */
  readonly disabledAdmissionPlugins?: readonly string[]
  /** Those that are off by default and wanted. */
  readonly enabledAdmissionPlugins?: readonly string[]
  /** Where addresses of Services come from, a range or one of each family; default 10.96.0.0/12. */
  readonly serviceRanges?: IpRanges | undefined
  /** Where addresses of pods come from; default 10.244.0.0/16, and beyond when there are many nodes. */
  readonly podRanges?: IpRanges | undefined
  /** Addresses for Services of type LoadBalancer; nodes of containers answer for them. */
  readonly loadBalancerPool?: AddressPool | undefined
  /** Reads the records of the log, for everybody in the process; that of this build by default. */
  readonly codec?: RecordCodec
  /** How long a paged list may go on from its snapshot; as long as the log holds it by default. */
  readonly continueTokenLifetimeMs?: number
  readonly logger: Logger
  /** One line for people, as things happen. */
  readonly progress?: (line: string) => void
  readonly findNatsServer: OpenLogOptions['findNatsServer']
  readonly clock?: Clock
  readonly ids?: Ids
  /** `auto`, `off` (the default) or the URL of a PostgreSQL; see postgres.ts. */
  readonly postgres?: string
  /** Whether the dashboard is served, at /dashboard; it is built where that was not done yet. Default false. */
  readonly dashboard?: boolean
  /** Delays of the simulated containers; all 0 by default. */
  readonly runtime?: Omit<SimulatedRuntimeOptions, 'clock' | 'ids'>
}

export interface RunningCluster {
  readonly url: string
  readonly port: number
  readonly kubeconfig: string
  readonly dataDir: string
  /** Which log, and why. */
  readonly logDescription: string
  readonly gateway: ApiGateway
  readonly log: ClusterLog
  /** Ends everything within 5 s. Safe to call twice. */
  stop(): Promise<void>
}

/** After this long a stop goes on to the next part. */
const stopStepMs = 1_500
/** Processes of pods, and a server that writes down what it holds, are asked to end, and killed when they do not. */
const stopProcessesMs = 3_200
const processAgentName = 'process-node-agent'
const containerAgentName = 'container-node-agent'
/** A start reads the whole log: on a slow or busy machine a large one takes minutes, and it says how far it is. */
const startTimeoutMs = 600_000

/** What has modes of its own: volumes and logs of pods, and PostgreSQL's files, which it closes itself. */
const ownRules = ['node', 'containers', 'postgres']

/** Starts a cluster on a data directory; resolves when all its nodes are Ready. Undoes what it began when it fails. */
export async function startCluster(options: ClusterOptions): Promise<RunningCluster> {
  const { logger } = options
  const clock = options.clock ?? systemClock
  const ids = options.ids ?? systemIds
  const progress = options.progress ?? (() => undefined)
  const host = options.host ?? '127.0.0.1'
  const dataDir = resolve(options.dataDir)
  closeTree(dataDir, ownRules)

  /** What has to be undone, newest last. */
  const undo: (readonly [what: string, how: () => Promise<void> | void])[] = []
  const stop = async (): Promise<void> => {
    for (const [what, how] of undo.splice(0).reverse()) {
      const limitMs = [processAgentName, containerAgentName, 'container nodes', 'postgres'].includes(what) ? stopProcessesMs : stopStepMs
      await within(clock, limitMs, how).catch((err: unknown) => logger.warn({ err, what }, 'failed to stop component'))
    }
  }

  /** Of all parts: the gateway's /metrics shows them together. */
  const metrics = createMetricsRegistry()
  metrics.collect(processSamples)
  const sql = createSqlPart({ ...options, clock, ids, progress, dataDir })

  const lock = lockDirectory(dataDir)
  undo.push(['lock', () => lock.release()])
  if (lock.takenOverFrom)
    progress(`the last run (process ${lock.takenOverFrom.pid}) did not end in order; its log is read again`)
  try {
    return await compose()
  } catch (error) {
    await stop()
    throw error
  }

  async function compose(): Promise<RunningCluster> {
    // Loaded while the log opens.
    const processAgent = options.processNode === true ? import('./process-agent.ts') : undefined
    const containerNodes = options.containerNodes ?? 0
    const containerAgents = containerNodes > 0 ? import('./container-agents.ts') : undefined
    const previousEnd = takeNoteOfEnd(dataDir)
    const mark = await markOf(dataDir)
    const opening = openLog({
      choice: options.log,
      dataDir,
      clock,
      logger: logger.child({ component: 'log' }),
      progress,
      ...(mark ? { expectIncarnation: mark.incarnation } : {}),
      findNatsServer: options.findNatsServer,
    })
    // Whatever becomes of the log, its fault is met where it is awaited.
    opening.catch(() => undefined)
    // Keys are made while a nats-server starts.
    const pki = loadPki({
      directory: join(dataDir, 'pki'),
      nowMs: clock.nowMs(),
      hosts: [...(isWildcard(host) ? [] : [host]), ...(containerNodes > 0 ? [doorAddress] : [])],
      clients: [
        ...(containerNodes > 0 ? [{ name: dnsCertificate, user: dnsUser }] : []),
        ...(options.ingress ? [{ name: ingressCertificate, user: ingressUser }] : []),
      ],
    })
    for (const note of pki.notes) progress(note)
    const opened = await opening
    const { description } = opened
    undo.push(['log server', opened.stop], ['log', () => opened.log.close()])
    progress(`log: ${description}`)
    const reading = tellReading(clock, progress)
    undo.push(['reading', () => reading[Symbol.dispose]()])
    const guarded = await guardLog({
      log: opened.log,
      dataDir,
      mark,
      clock,
      logger: logger.child({ component: 'log' }),
      progress,
    })
    undo.push(['seal', () => guarded.end()])
    const encryption = await openEncryption({
      log: guarded.log,
      file: options.serverFlags?.encryptionProviderConfig ?? ensureConfigurationFile(configurationFileIn(dataDir), 'first'),
      writes: true,
      ...{ clock, ids, logger: logger.child({ component: 'kube-apiserver' }), versions: options.codec?.versions },
    })
    undo.push(['keys', () => encryption.stop()])
    const { codec } = encryption
    // The gateway and the feed begin with the same reading of the log.
    const snapshots = shareSnapshots(guarded.log)
    const log = reading.watch(snapshots.log)

    const startedAtMs = new Map<string, number>()
    const begin = async (service: Service): Promise<void> => {
      startedAtMs.set(service.name, clock.nowMs())
      undo.push([service.name, () => service.stop()])
      await within(clock, startTimeoutMs, () => service.start())
    }

    // Node agents of this process meet the gateway here, as others do over NATS.
    const bus = createMemoryBus({ clock })
    undo.push(['bus', () => bus.close()])
    const gateway = createApiGateway({
      log,
      encryption,
      bus,
      metrics,
      onStored: guarded.onStored,
      inspection: guarded.inspection,
      ...(options.tokenAuthFile ? { tokenFile: readFileSync(options.tokenAuthFile, 'utf8') } : {}),
      ...(options.disabledAdmissionPlugins ? { disabledAdmissionPlugins: options.disabledAdmissionPlugins } : {}),
      enabledAdmissionPlugins: options.enabledAdmissionPlugins,
      ...readServerFlags(options.serverFlags ?? {}),
      serviceRanges: options.serviceRanges,
      ...(options.continueTokenLifetimeMs === undefined
        ? {}
        : { continueTokenLifetimeMs: options.continueTokenLifetimeMs }),
      clock,
      ids,
      logger: logger.child({ component: 'kube-apiserver' }),
      dashboard: options.dashboard === true ? dashboardFiles : undefined,
      sql: sql.reader,
      https: { host, port: options.port, ca: pki.ca, cert: pki.server.certificate, key: pki.server.key },
      frontProxy: pki.frontProxy,
      externalHost: advertisedAddress(host),
      serviceAccounts: {
        issuers: [defaultIssuer],
        signingKey: pki.serviceAccountKey,
        publicKeys: pki.serviceAccountPublicKeys,
        // Pods of containers reach this machine through the door only, as they do the Service kubernetes.
        ...(containerNodes > 0 ? { keySetUrl: `https://${doorAddress}:${apiPort}${keySetPath}` } : {}),
      },
    })
    const boot = bootGateway({
      gateway,
      clock,
      logger: logger.child({ component: 'kube-apiserver' }),
      ...(containerNodes > 0 ? { address: doorAddress, port: apiPort } : { address: advertisedAddress(host) }),
      serviceRanges: options.serviceRanges,
      guarded,
      keepSystemObjects: true,
    })
    await begin({
      name: gateway.name,
      start: () => boot.start(),
      stop: () => gateway.stop(),
      health: () => gateway.health(),
    })
    undo.push(['system objects', async () => boot[Symbol.asyncDispose]()])
    const url = `https://${isWildcard(host) ? '127.0.0.1' : host}:${gateway.port}`
    const kubeconfig = join(dataDir, 'kubeconfig')
    writeKubeconfig(kubeconfig, { server: url, ca: pki.ca, ...pki.admin })
    progress(`API: ${url}`)
    if (options.dashboard === true) progress(`dashboard: ${url}/dashboard; npx shiplog dashboard signs you in`)

    const feed: LogObjectFeed = createObjectFeed(log, { codec })
    undo.push(['feed', () => feed.stop()])
    const client = (name: string, ...groups: string[]) =>
      gateway.clientFor({ name, groups: [...groups, 'system:authenticated'] })
    const inProcess = { metrics, clock, host: () => 'in-process' }

    const facts = thisMachine()
    const { podRanges } = options
    const machine = controlPlaneNode(facts, podRanges)
    const nodeAgent = createNodeAgent({
      bus,
      feed,
      client: client('system:node-agent', 'system:nodes'),
      clock,
      ids,
      log: logger.child({ component: 'node-agent' }),
      host: simulatedHost(createSimulatedRuntime({ clock, ids, ...options.runtime })),
      nodes: { count: options.simulatedNodes, podRanges },
      extraNodes: [machine],
    })
    const scheduler = createScheduler({
      feed,
      client: meteredClient(client('system:kube-scheduler'), inProcess),
      clock,
      ids,
      log: logger,
      metrics,
      ...(options.schedulerProfiles ? { profiles: options.schedulerProfiles } : {}),
    })
    const controllers = createControllerManager({
      feed,
      client: meteredClient(client('system:kube-controller-manager'), inProcess),
      clock,
      ids,
      log: logger,
      rootCa: pki.ca,
      tokenSigner: createTokenSigner(signingKeyOf(pki.serviceAccountKey)),
      certificateSigner: createCertificateSigner({ certificate: pki.ca, key: pki.caKey }),
      nodeCidrs: { podRanges },
      metrics,
      loadBalancerPool: options.loadBalancerPool,
      ...(options.controllers ? { controllers: options.controllers } : {}),
    })
    metrics.collect(() => [
      ...scheduler.metrics(),
      ...workQueueSamples(controllers.metrics()),
      gauge('kubelet_running_pods', nodeAgent.podCount()),
      ...sql.metrics(),
    ])
    let dns: readonly DnsReplica[] = []
    let doorSocket: string | undefined
    const serviceRange = (options.serviceRanges ?? defaultServiceRanges)[0]
    const services: Service[] = [controllers, nodeAgent, scheduler]
    if (processAgent !== undefined) {
      const { createProcessAgent } = await processAgent
      const directory = join(dataDir, 'node')
      const { agent, nodeName } = createProcessAgent({
        name: processAgentName,
        bus,
        clock,
        ids,
        logger,
        machine: facts,
        directory,
        podRanges,
      })
      progress(`node ${nodeName}: pods that ask for it run as processes of this machine, as this user`)
      services.push(agent)
    } else if (existsSync(join(dataDir, 'node', 'supervisor.sock'))) {
      progress('processes of pods of an earlier run may still be there: --node process takes them up again')
    }
    const admin = gateway.clientFor({ name: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] })
    if (containerAgents !== undefined) {
      const { createContainerAgents } = await containerAgents
      const agents = await createContainerAgents({
        name: containerAgentName,
        count: containerNodes,
        ...{ bus, clock, ids, logger, machine: facts, podRanges, progress },
        directory: containersDirectory(dataDir),
        simulatedNodes: options.simulatedNodes,
        registryMirrors: options.registryMirrors ?? [],
        kubeletArguments: options.kubeletArguments ?? [],
        ...{ feed, metrics },
        pkiDirectory: join(dataDir, 'pki'),
        serviceRange,
        pool: options.loadBalancerPool,
      })
      undo.push(['container nodes', () => agents.service.stop()])
      await agents.serveApi(gateway.port)
      services.push(agents.policies, agents.service, agents.proxy)
      dns = agents.dns
      doorSocket = agents.doorSocket
      for (const { name } of dns) startedAtMs.set(name, clock.nowMs())
      await ensureObjects(admin, [...dnsObjects(dnsAddress(serviceRange)), ...networkPolicyObjects])
    } else if (existsSync(containersDirectory(dataDir))) {
      const { endContainerdNodes } = await import('@shiplog/node/containerd/containerd-nodes')
      await endContainerdNodes(containersDirectory(dataDir), clock)
    }
    let ingress: IngressPart | undefined
    if (options.ingress !== undefined) {
      await ensureObjects(admin, ingressObjects)
      ingress = await createIngressPart({ ports: options.ingress, doorSocket, apiUrl: url, pkiDirectory: join(dataDir, 'pki'), clock, progress })
      services.push(ingress)
    }
    const logPart: Service = {
      name: 'shiplog-log',
      start: () => Promise.resolve(),
      stop: () => Promise.resolve(),
      health: () => gateway.health().filter((check) => check.name.startsWith('log')),
    }
    startedAtMs.set(logPart.name, startedAtMs.get(gateway.name)!)
    const running = Promise.all(services.map(begin))
    const dnsOf = (component: string): DnsReplica | undefined => dns.find(({ name }) => name === component)
    const life = ids.uuid()
    const stateOf = (component: string, part: Part): ComponentState => ({
      component,
      podName: `${component}-${controlPlaneNodeName}`,
      identity: '',
      image: `shiplog/${component}:${shiplogVersion}`,
      life,
      startedAtMs: part.startedAtMs,
      ready: part.health.every((check) => check.ok),
      address: machine.internalIPs[0]!,
      ...(previousEnd ? { lifeBefore: { ...previousEnd, endedAtMs: previousEnd.finishedAtMs } } : {}),
      ...(part.coming ? { coming: true } : {}),
      ...(dnsOf(component) ? { address: dnsOf(component)!.address, hasOwnNetwork: true, labels: dnsPodLabels } : {}),
      ...(part.lives ? ofLives(life, component, part.lives) : {}),
    })
    const partOf = (service: Service): Part => ({
      health: service.health(),
      startedAtMs: startedAtMs.get(service.name)!,
      ...(service === logPart && opened.lives ? { lives: opened.lives() } : {}),
      // What earlier lives left running goes on: it is not to be shown as gone until somebody has looked.
      ...(dnsOf(service.name)?.isUnknown ? { coming: true } : {}),
      ...(service === ingress ? { lives: ingress.lives() } : {}),
    })
    const parts = createComponentPods({
      client: client('system:node-agent', 'system:nodes'),
      clock,
      log: logger.child({ component: 'control-plane-pods' }),
      nodeName: controlPlaneNodeName,
      states: () => [
        ...[gateway, ...services, ...dns, logPart].map((service) => stateOf(service.name, partOf(service))),
        ...sql.parts().map(({ name, ...part }) => stateOf(name, part)),
      ],
    })
    await Promise.all([running, begin(parts)])
    // It needs its role, which the cluster gets last; nothing else here waits for it.
    for (const replica of dns) begin(replica).catch((err: unknown) => logger.warn({ err }, 'the DNS does not come up'))
    reading[Symbol.dispose]()
    snapshots.release()
    undo.push(['note', () => noteEnd(dataDir, clock.nowMs())])
    const memory = giveBackMemory(clock)
    undo.push(['memory', () => memory[Symbol.dispose]()])
    // Nobody here needs the roles: components in this process are not asked for their rights.
    const roles = boot.finish().catch((err: unknown) => logger.warn({ err }, 'failed to create the default roles'))
    undo.push(['default roles', () => roles])
    progress(`nodes: ${options.simulatedNodes} simulated, and ${controlPlaneNodeName} for this machine`)
    sql.begin({ log, inspection: guarded.inspection, codec, keys: encryption.keyring.store })
    undo.push(['postgres', () => sql.stop()])
    // Nobody waits for it; whoever opens it first is told when it fails.
    if (options.dashboard === true) void dashboardFiles().catch(() => undefined)
    return { url, port: gateway.port, kubeconfig, dataDir, logDescription: description, gateway, log, stop }
  }
}

/** Loaded when it is wanted: a start need not wait for it. */
async function dashboardFiles(): Promise<string> {
  const { provideDashboard } = await import('@shiplog/dashboard/files')
  return await provideDashboard()
}

/** Where containers of pods and all that belongs to them are kept. */
const containersDirectory = (dataDir: string): string => join(dataDir, 'containers')

const isWildcard = (host: string): boolean => host === '0.0.0.0' || host === '::'

/** Runs to the end or to the time limit, whichever comes first; past the limit it throws. */
async function within(clock: Clock, limitMs: number, how: () => Promise<void> | void): Promise<void> {
  const limit = new AbortController()
  try {
    await Promise.race([
      how(),
      clock.sleep(limitMs, limit.signal).then(() => {
        throw new Error(`not done within ${limitMs} ms`)
      }),
    ])
  } finally {
    limit.abort()
  }
}

const endFile = (dataDir: string): string => join(dataDir, 'last-stop.json')

/** An orderly stop leaves a note, so that the next life can say how the one before ended. */
function noteEnd(dataDir: string, finishedAtMs: number): void {
  writeSecretFile(endFile(dataDir), JSON.stringify({ exitCode: 0, reason: 'Completed', finishedAtMs }))
}

interface End {
  readonly exitCode: number
  readonly reason: string
  readonly finishedAtMs: number
}

function takeNoteOfEnd(dataDir: string): End | undefined {
  try {
    return JSON.parse(readFileSync(endFile(dataDir), 'utf8')) as End
  } catch {
    return undefined
  } finally {
    rmSync(endFile(dataDir), { force: true })
  }
}
