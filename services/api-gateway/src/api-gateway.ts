// The API gateway: the Kubernetes API over one log. It holds no state of its own: any number of gateways on one log serve
// the same. This file puts the parts together.
import type { AddressInfo } from 'node:net'
import type { ApiClient } from '@shiplog/api/api-client'
import type { IpRanges } from '@shiplog/api/ip-address'
import { builtInCatalogue } from '@shiplog/domain/catalogue/catalogue'
import { nodeRestriction } from '@shiplog/domain/admission/node-restriction.plugin'
import { defaultAdmissionPlugins, optionalAdmissionPlugins } from '@shiplog/domain/admission/plugins'
import type { AdmissionView } from '@shiplog/domain/admission'
import type { User } from '@shiplog/domain/strategy'
import type { AsyncAdmissionPlugin } from '@shiplog/domain/write/async-admission'
import type { Bus } from '@shiplog/events/bus/bus'
import type { ClusterLog } from '@shiplog/events/event-log'
import { type LogInspection, sequencesText } from '@shiplog/events/integrity/log-inspection'
import type { RecordCodec } from '@shiplog/feed/record-codec'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import type { Logger } from '@shiplog/runtime/logger'
import { createMetricsRegistry, type MetricsRegistry } from '@shiplog/runtime/metrics'
import type { HealthCheck, Service } from '@shiplog/runtime/service'
import { type AuditOptions, openAuditor } from './audit/audit-options.ts'
import { createAppendHealth } from './write/append-health.ts'
import { createReadHealth } from './read/read-health.ts'
import { createAuthenticator, parseTokenFile } from './access/authentication.ts'
import { createJwtAuthenticator } from './access/jwt-authenticator.ts'
import type { JwtIssuer } from './access/jwt-configuration.ts'
import { createTokenWebhook } from './access/token-webhook.ts'
import type { RemoteService } from './remote/remote-service.ts'
import { createLegacyTokenUse } from './access/legacy-token-use.ts'
import { createServiceAccountAuthenticator } from './access/service-account-authenticator.ts'
import {
  createServiceAccountTokens,
  type Lookup,
  type ServiceAccountOptions,
} from './access/service-account-tokens.ts'
import { type GrantSource, scannedGrants } from './access/grants.ts'
import { createNodeAudienceCheck } from './access/node-audience.ts'
import { createNodeGraph } from './access/node-graph.ts'
import { type AuthorizationMode, type Authorizer, createAuthorizer } from './access/rbac-authorizer.ts'
import { createRbacIndex } from './access/rbac-index.ts'
import { componentLeaseNames } from './access/component-lease-rights.ts'
import { attemptOf, isComponent } from './access/components.ts'
import { serveBusCommands } from './bus/commands.ts'
import { serveBusFeeds } from './bus/feeds.ts'
import { keepDefinitions } from './custom-resources/definition-keeper.ts'
import { createLongChecks } from './long-checks/long-checks.ts'
import { createEscalationCheck } from './access/escalation.ts'
import { createSessions } from './browser/sessions.ts'
import type { SqlSource } from './browser/sql-route.ts'
import { createMutatingPolicies } from './policies/mutating-policies.ts'
import { createPermissionAnswers } from './policies/permission-answers.ts'
import { createPolicyMetrics } from './policies/policy-metrics.ts'
import { createValidatingPolicies } from './policies/validating-policies.ts'
import { createFairness } from './fairness/fairness.ts'
import { createHttpServer } from './http/http-server.ts'
import { createRequestMetrics } from './http/request-metrics.ts'
import { storeSamples } from './store/store-samples.ts'
import { createNonResourceRoutes } from './http/non-resource-routes.ts'
import { createInProcessClient } from './operations/in-process.ts'
import { createUsageStore } from './metrics/usage-store.ts'
import { createOperations, type Operations } from './operations/operations.ts'
import { createOutgoing, type OutgoingLimits } from './read/outgoing.ts'
import { createPast, type OperationSources } from './time-travel/views.ts'
import { createReader } from './read/reader.ts'
import { createRequestBodies } from './request/request-body.ts'
import { createSignerChecks } from './access/signer-rights.ts'
import { createStreams, type OnStored } from './store/streams.ts'
import { createConnections } from './streaming/connections.ts'
import { createTunnels } from './streaming/tunnels.ts'
import { createPresentKinds } from './store/kinds.ts'
import { createView } from './store/view.ts'
import { createWatchHub } from './read/watch.ts'
import { createWatchSource } from './read/watch-source.ts'
import { createPodLogSource } from './streaming/pod-logs.ts'
import { probeLog } from './write/log-probe.ts'
import { createSchedulingAttempts } from './write/scheduling-attempts.ts'
import { createServiceDialer } from './webhooks/service-dialer.ts'
import { createWebhookAdmission } from './webhooks/webhook-admission.ts'
import { createWebhookClient } from './webhooks/webhook-client.ts'
import { createWebhookMetrics } from './webhooks/webhook-metrics.ts'
import { createWriter } from './write/writer.ts'

export interface ApiGatewayDeps {
  readonly log: ClusterLog
  /** Reads the records of the log; that of this build by default. */
  readonly codec?: RecordCodec
  /** What is known of damage to EVENTS: answers about the past say so. */
  readonly inspection?: LogInspection
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  /** How node agents are reached, and reach it; without one their commands, feeds and tunnels are not served. */
  readonly bus?: Bus
  /** Where it listens; without it only components of this process are served. Port 0 takes any free one. */
  readonly https?: {
    readonly host: string
    readonly port: number
    readonly ca: string
    readonly cert: string
    readonly key: string
  }
  /** By which name or address others reach it; where it listens by default. */
  readonly externalHost?: string
  /** The text of a static token file (`token,user,uid,"group1,group2"` a line). */
  readonly tokenFile?: string
  /** Tokens of service accounts: who issues them, and with which keys. Without this none are issued or taken. */
  readonly serviceAccounts?: ServiceAccountOptions
  /** Whether who shows no credentials is system:anonymous; refused otherwise. Default true. */
  readonly anonymousAuth?: boolean
  /** Who decides what somebody may do; Node and RBAC by default. */
  readonly authorizationModes?: readonly AuthorizationMode[] | undefined
  /** Admission plugins to leave out, by upstream's names. */
  readonly disabledAdmissionPlugins?: readonly string[]
  /** Those that are off by default and wanted. */
  readonly enabledAdmissionPlugins?: readonly string[] | undefined
  /** Where addresses of Services come from; default 10.96.0.0/12. */
  readonly serviceRanges?: IpRanges | undefined
  /** Admission that waits for others: webhooks, policies. */
  readonly asyncAdmission?: readonly AsyncAdmissionPlugin[]
  /** How long a paged list may go on from its snapshot; upstream: about five minutes. As long as the log holds it by default. */
  readonly continueTokenLifetimeMs?: number
  /** What large answers that are on their way may hold. */
  readonly outgoingLimits?: OutgoingLimits
  /** Told of every group that this gateway has stored in EVENTS: the high-water mark listens here. */
  readonly onStored?: OnStored
  /** Gives the directory of the dashboard's files; without it there is no /dashboard. */
  readonly dashboard?: (() => Promise<string>) | undefined
  /** Whom the dashboard's SQL console asks. */
  readonly sql?: SqlSource | undefined
  /** The metrics of the process, which /metrics shows; the gateway's alone by default. */
  readonly metrics?: MetricsRegistry
  /** Who vouches for users by JSON Web Tokens. */
  readonly jwtIssuers?: readonly JwtIssuer[]
  /** A service that knows tokens: it is asked by TokenReviews. */
  readonly tokenWebhook?: RemoteService | undefined
  /** Seats for requests over HTTPS, divided by priority; false: they are served as they come. */
  readonly fairness?: false | { readonly seats?: number }
  /** The audit log; none by default. */
  readonly audit?: AuditOptions | undefined
}

export interface ApiGateway extends Service {
  /** The port that it listens on, once started; 0 without HTTPS. */
  readonly port: number
  /** Commands of a component in this process, as that user. */
  clientFor(user: User): ApiClient
  /** Watches that are being served. */
  readonly watchers: number
}

/** As whom it does what nobody asked for. */
const ownUser: User = { name: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] }

/** Admission that stands outside of the stages: it can be switched off like the rest. */
const asyncPluginNames = [
  ...['MutatingAdmissionPolicy', 'MutatingAdmissionWebhook'],
  ...['ValidatingAdmissionPolicy', 'ValidatingAdmissionWebhook'],
]

/** Longest time that open requests get to end at a stop. */
const closeTimeoutMs = 2_000

export function createApiGateway(deps: ApiGatewayDeps): ApiGateway {
  const { clock, ids, logger } = deps
  const metrics = deps.metrics ?? createMetricsRegistry()
  const requestMetrics = createRequestMetrics(metrics)
  const readHealth = createReadHealth({ clock, ask: () => deps.log.events.lastSequence() })
  const appendHealth = createAppendHealth({ clock, logger, probe: () => probeLog(streams.events, ids) })
  const streams = createStreams(deps.log, {
    clock,
    onOutcome: appendHealth.observe,
    ...(deps.codec ? { codec: deps.codec } : {}),
    ...(deps.inspection ? { inspection: deps.inspection } : {}),
    ...(deps.onStored ? { onStored: deps.onStored } : {}),
  })
  const view = createView(streams)
  const kinds = createPresentKinds(streams)
  const nowMs = (): number => clock.nowMs()
  const serviceAccountTokens = deps.serviceAccounts && createServiceAccountTokens(deps.serviceAccounts, ids)
  const lookup: Lookup = (resource, namespace, name) => view.get(resource, namespace, name)
  const authenticator = createAuthenticator({
    tokens: parseTokenFile(deps.tokenFile ?? ''),
    ...{ lookup, nowMs, audiences: serviceAccountTokens?.audiences ?? [] },
    serviceAccounts:
      serviceAccountTokens &&
      createServiceAccountAuthenticator({
        ...{ tokens: serviceAccountTokens, lookup, nowMs },
        onLegacyUse: (secret) => legacyUse.note(secret),
      }),
    jwt: deps.jwtIssuers?.length ? createJwtAuthenticator(deps.jwtIssuers, clock) : undefined,
    tokenWebhook: deps.tokenWebhook && createTokenWebhook(deps.tokenWebhook, nowMs, logger),
    caughtUp: () => streams.events.projection.barrier(),
    ...(deps.anonymousAuth === undefined ? {} : { anonymous: deps.anonymousAuth }),
  })
  const graph = createNodeGraph(streams.events.projection)
  // Filled when the projection has caught up, before anything is served.
  let grants: GrantSource = scannedGrants(view)
  const modes = deps.authorizationModes
  const authorizerOver = (seen: AdmissionView): Authorizer => createAuthorizer(seen, { modes })
  const authorizer = createAuthorizer(view, {
    ...{ modes, graph },
    grants: { grantsOf: (user, at) => grants.grantsOf(user, at) },
  })
  const disabled = new Set(deps.disabledAdmissionPlugins)
  const enabled = deps.enabledAdmissionPlugins ?? []
  const plugins = [...defaultAdmissionPlugins(enabled), ...createSignerChecks(authorizerOver)]
  const names = new Set([...plugins.map(({ name }) => name), ...optionalAdmissionPlugins, ...asyncPluginNames])
  for (const name of [...disabled, ...enabled]) {
    if (!names.has(name)) throw new Error(`there is no admission plugin ${name}; there are ${[...names].join(', ')}`)
  }
  const admission = [
    ...plugins.filter((plugin) => !disabled.has(plugin.name)),
    createEscalationCheck(authorizerOver),
    ...(disabled.has(nodeRestriction.name) ? [] : [createNodeAudienceCheck(authorizerOver)]),
    componentLeaseNames,
  ]
  const reader = createReader(streams, { nowMs, continueTokenLifetimeMs: deps.continueTokenLifetimeMs })
  const bodies = createRequestBodies(builtInCatalogue())
  const longChecks = createLongChecks({ clock })
  /** Ends what was begun for clients and has no end of its own. */
  const closing = new AbortController()
  const policyDeps = {
    ...{ view, streams, nowMs, inPlace: true },
    catalogue: () => kinds.current,
    makeLongCheck: longChecks.make,
    ask: createPermissionAnswers(authorizer),
  }
  const tunnels = createTunnels({ bus: deps.bus, clock, ids, stopped: closing.signal })
  const webhookClient = createWebhookClient({
    dialer: createServiceDialer({ view, tunnels, integer: (below) => ids.integer(below) }),
    clock,
  })
  const webhooks = createWebhookAdmission({
    ...{ ...policyDeps, client: webhookClient, ids, logger, stopped: closing.signal },
    metrics: createWebhookMetrics(metrics),
    caughtUp: () => streams.events.projection.barrier(),
  })
  // In upstream's order; quotas are charged after all of them (write/attempts.ts).
  const asyncAdmission = [
    createMutatingPolicies({ ...policyDeps, metrics: createPolicyMetrics(metrics, 'mutating') }),
    webhooks.mutating,
    createValidatingPolicies({ ...policyDeps, metrics: createPolicyMetrics(metrics, 'validating') }),
    webhooks.validating,
    ...(deps.asyncAdmission ?? []),
  ].filter((plugin) => !disabled.has(plugin.name))
  const writer = createWriter({
    ...{ bodies, streams, admission, asyncAdmission, view, clock, ids },
    makeLongCheck: longChecks.make,
    serviceRanges: deps.serviceRanges,
  })
  const operationsOver = (sources: OperationSources): Operations =>
    createOperations({
      ...{ writer, bodies, view, admission, asyncAdmission, serviceAccountTokens },
      ...sources,
      logIsHealthy: () => health().every(({ ok }) => ok),
      reviews: { authorizer, authenticateToken: authenticator.authenticateToken },
    })
  const outgoing = createOutgoing(clock, deps.outgoingLimits)
  const hub = createWatchHub({ clock, integer: (below) => ids.integer(below), outgoing })
  const stopping = new AbortController()
  /** What is served over the bus. */
  const onBus = new DisposableStack()
  /** What this gateway does by itself. */
  const ownWork = new DisposableStack()
  const past = createPast({ streams, reader, kinds, operationsOver, clock, outgoing, stopped: closing.signal })
  const usage = createUsageStore({ clock, logger })
  const operations = operationsOver({
    ...{ kinds, reader, nowMs },
    watches: createWatchSource({ reader, kinds, hub, watchEvents: requestMetrics.watchEvents }),
    podLogs: createPodLogSource({ reader, tunnels }),
    connections: createConnections({ reader, tunnels, integer: (below) => ids.integer(below) }),
    usage,
  })
  metrics.collect(() => storeSamples(streams))
  const fairness =
    deps.fairness === false
      ? undefined
      : createFairness({ view, streams, clock, metrics, isKind: (name) => kinds.current.storage(name) !== undefined, ...deps.fairness })
  const auditor = deps.audit && openAuditor(deps.audit, { clock, logger, metrics })
  const attempts = createSchedulingAttempts({ events: streams.events, ids })
  const sessions = createSessions({ nowMs })
  let port = 0

  const health = (): HealthCheck[] => [
    { name: 'ping', ok: true },
    ...streams.all.map((stream, index): HealthCheck => {
      const name = `log-${['events', 'leases', 'objectevents'][index]!}`
      const { projection } = stream
      if (projection.failure) return { name, ok: false, reason: projection.failure.message }
      return projection.synced
        ? { name, ok: true }
        : { name, ok: false, reason: 'the projection has not caught up with the log' }
    }),
    readHealth.check(),
    appendHealth.check(),
    ...(deps.inspection ? [inspectionCheck(deps.inspection)] : []),
  ]

  const clientFor = (user: User): ApiClient => createInProcessClient({ operations, attempts, ids, auditor }, user)
  const legacyUse = createLegacyTokenUse({ clientFor, clock, logger })
  const routes = createNonResourceRoutes({
    serviceAccountTokens,
    address: () => `${deps.externalHost ?? deps.https?.host ?? 'localhost'}:${port}`,
    health,
    refreshHealth: readHealth.refresh,
    stopping: () => stopping.signal.aborted,
    metrics,
  })
  const server =
    deps.https &&
    createHttpServer({
      ...{ operations, past, outgoing, authenticator, authorizer, routes, logger, ids, clock },
      ...{ metrics: requestMetrics, auditor, fairness },
      sessions,
      browser: {
        ...{ sessions, authenticator, authorizer, kinds, logger, clock },
        ...{ events: deps.log.events, inspection: deps.inspection, codec: deps.codec },
        ...{ dashboard: deps.dashboard, sql: deps.sql },
      },
      log: deps.log,
      inspection: deps.inspection,
      stopped: closing.signal,
      tls: deps.https,
      trusted: isComponent,
      recordAttempt: async (user, body) => await attempts.record(user, attemptOf(user, body)),
    })

  return {
    name: 'kube-apiserver',
    get port() {
      return port
    },
    get watchers() {
      return hub.watchers + past.watchers
    },
    clientFor,
    health,
    async start() {
      await Promise.all(streams.all.map((stream) => stream.projection.start(stopping.signal)))
      grants = createRbacIndex(streams.events.projection)
      ownWork.use(keepDefinitions({ client: clientFor(ownUser), streams, kinds, clock, logger }))
      const { bus } = deps
      if (bus) {
        onBus.use(serveBusCommands({ bus, operations, authorizer, ids, logger }))
        onBus.use(usage.hear(bus))
        onBus.use(serveBusFeeds({ bus, projection: streams.events.projection, graph, clock, logger }))
      }
      if (!server || !deps.https) return
      await server.listen({ host: deps.https.host, port: deps.https.port })
      port = (server.server.address() as AddressInfo).port
    },
    async stop() {
      if (stopping.signal.aborted) return
      // First: commands and feeds go to another gateway.
      onBus.dispose()
      ownWork.dispose()
      hub.close()
      closing.abort()
      if (server) await Promise.race([server.close(), clock.sleep(closeTimeoutMs)])
      stopping.abort()
      webhookClient.close()
      await longChecks.close()
      await auditor?.close()
    },
  }
}

/** Damage of the past is told, and takes no gateway out of service: the present is whole. */
function inspectionCheck({ state, through, last, unaccepted }: LogInspection): HealthCheck {
  const note =
    state === 'failed'
      ? 'the log could not be inspected'
      : unaccepted.length > 0
        ? `the past is damaged at sequence ${sequencesText(unaccepted)}: see shiplog verify`
        : state === 'reading'
          ? `inspected up to sequence ${through} of ${last}`
          : `whole up to sequence ${through}`
  return { name: 'log-inspection', ok: true, note }
}
