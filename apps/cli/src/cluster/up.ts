// `shiplog up`: starts the cluster, says so, and stays until it is asked to stop.
import { startCluster } from '@shiplog/all-in-one/cluster'
import type { ServerFlags } from '@shiplog/api-gateway/configuration/server-flags'
import type { LogChoice } from '@shiplog/all-in-one/open-log'
import { parseAddressPool } from '@shiplog/api/address-pool'
import { parseIpRanges } from '@shiplog/api/ip-address'
import { parseServiceRanges } from '@shiplog/domain/service/ip-range'
import type { RegistryMirror } from '@shiplog/node/containerd/registry-mirrors'
import { createPinoLogger, type LogLevel } from '@shiplog/runtime/pino-logger'
import { findNatsServer } from './find-nats-server.ts'
import { explain } from '../replay/explain.ts'
import { readProfiles } from '../replay/replay-configuration.ts'
import { progress, stayUp } from './stay-up.ts'

export interface UpOptions extends ServerFlags {
  readonly dataDir: string
  readonly host: string
  readonly port: number
  readonly log: string
  /** Default: 3, and none beside nodes of containers. */
  readonly simulatedNodes?: number
  readonly node: readonly string[]
  /** How many of containers. */
  readonly nodes: number
  readonly registryMirror: readonly RegistryMirror[]
  readonly kubeletArg: readonly string[]
  readonly tokenAuthFile?: string | undefined
  readonly disableAdmissionPlugins: readonly string[]
  readonly enableAdmissionPlugins: readonly string[]
  readonly controllers: readonly string[]
  /** A KubeSchedulerConfiguration. */
  readonly schedulerConfig?: string | undefined
  readonly continueTokenLifetime?: number | undefined
  readonly postgres: string
  readonly dashboard: boolean
  readonly ingress: boolean
  readonly ingressHost: string
  readonly ingressHttpPort: number
  readonly ingressHttpsPort: number
  readonly serviceCidr?: string
  readonly podCidr?: string
  readonly loadBalancerPool?: string
  readonly logLevel: LogLevel
}

const defaultSimulatedNodes = 3

/** Ends the process: 0 after a signal, 1 when the cluster could not be started. */
export async function up(options: UpOptions): Promise<never> {
  const logger = createPinoLogger({ level: options.logLevel, name: 'shiplog' })
  const schedulerProfiles = options.schedulerConfig === undefined ? undefined : readProfiles(options.schedulerConfig, progress)
  return await stayUp(
    () =>
      startCluster({
        dataDir: options.dataDir,
        host: options.host,
        port: options.port,
        log: options.log as LogChoice,
        simulatedNodes: options.simulatedNodes ?? (options.node.includes('containerd') ? 0 : defaultSimulatedNodes),
        processNode: options.node.includes('process'),
        containerNodes: options.node.includes('containerd') ? options.nodes : 0,
        registryMirrors: options.registryMirror,
        kubeletArguments: options.kubeletArg,
        ingress: options.ingress
          ? { host: options.ingressHost, httpPort: options.ingressHttpPort, httpsPort: options.ingressHttpsPort }
          : undefined,
        postgres: options.postgres,
        dashboard: options.dashboard,
        serviceRanges: options.serviceCidr === undefined ? undefined : parseServiceRanges(options.serviceCidr),
        loadBalancerPool: options.loadBalancerPool === undefined ? undefined : parseAddressPool(options.loadBalancerPool),
        podRanges: options.podCidr === undefined ? undefined : parseIpRanges(options.podCidr),
        ...(options.tokenAuthFile === undefined ? {} : { tokenAuthFile: options.tokenAuthFile }),
        serverFlags: options,
        disabledAdmissionPlugins: options.disableAdmissionPlugins,
        enabledAdmissionPlugins: options.enableAdmissionPlugins,
        controllers: options.controllers,
        ...(schedulerProfiles === undefined ? {} : { schedulerProfiles }),
        ...(options.continueTokenLifetime === undefined
          ? {}
          : { continueTokenLifetimeMs: options.continueTokenLifetime * 1_000 }),
        logger,
        progress,
        findNatsServer: findNatsServer(progress),
      }),
    (error) => explain(error, options),
  )
}
