// Defaults of pods and of the pod templates inside workloads (k8s.io/kubernetes/pkg/apis/core/v1/defaults.go).
import type {
  DownwardAPIVolumeFile,
  EphemeralContainer,
  HTTPGetAction,
  Pod,
  PodSpec,
  PodTemplateSpec,
  Probe,
  ResourceRequirements,
  Volume,
} from '@shiplog/api/generated/types/core-v1'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { entries, fill, fillText, items, section } from '../fields.ts'
import { containerLists } from './containers.ts'
import { defaultPullPolicy } from './image-reference.ts'
import { setPodResourceDefaults } from './pod-resources.ts'

const defaultTerminationGracePeriodSeconds = 30
/** 0644, the mode of files in secret, configMap, projected and downwardAPI volumes. */
const defaultFileMode = 420
const defaultTokenExpirationSeconds = 3600

const setHttpGetDefaults = (httpGet: Decoded<HTTPGetAction>): void => {
  fillText(httpGet, 'path', '/')
  fillText(httpGet, 'scheme', 'HTTP')
}

const setProbeDefaults = (probe: Decoded<Probe>): void => {
  if (!probe.timeoutSeconds) probe.timeoutSeconds = 1
  if (!probe.periodSeconds) probe.periodSeconds = 10
  if (!probe.successThreshold) probe.successThreshold = 1
  if (!probe.failureThreshold) probe.failureThreshold = 3
  if (probe.httpGet) setHttpGetDefaults(probe.httpGet)
  if (probe.grpc) fill(probe.grpc, 'service', '')
}

/** Fields that are no pointers in the Go types: false, zero and '' are the same as nothing. */
const dropZero = <Target extends object>(target: Target, ...keys: readonly (keyof Target)[]): void => {
  for (const key of keys) if (key in target && !target[key]) delete target[key]
}

/** Behind a gate of upstream's that is off (ContainerStopSignals), and dropped with the hooks that say nothing else. */
const dropStopSignal = (container: Decoded<EphemeralContainer>): void => {
  const { lifecycle } = container
  if (lifecycle?.stopSignal === undefined) return
  delete lifecycle.stopSignal
  if (Object.keys(lifecycle).length === 0) delete container.lifecycle
}

/** Rewrites a quantity-free part of a container: what every container of a pod or a template gets. */
const setContainerDefaults = (container: Decoded<EphemeralContainer>): void => {
  if (!container.imagePullPolicy) container.imagePullPolicy = defaultPullPolicy(container.image ?? '')
  section(container, 'resources')
  fillText(container, 'terminationMessagePath', '/dev/termination-log')
  fillText(container, 'terminationMessagePolicy', 'File')
  dropZero(container, 'stdin', 'stdinOnce', 'tty', 'workingDir')
  for (const port of items(container.ports)) {
    fillText(port, 'protocol', 'TCP')
    dropZero(port, 'hostPort', 'hostIP', 'name')
  }
  for (const mount of items(container.volumeMounts)) dropZero(mount, 'readOnly', 'subPath', 'subPathExpr')
  for (const variable of items(container.env)) {
    dropZero(variable, 'value')
    const source = variable.valueFrom
    if (!source) continue
    if (source.fieldRef) fillText(source.fieldRef, 'apiVersion', 'v1')
    if (source.resourceFieldRef) fill(source.resourceFieldRef, 'divisor', '0')
  }
  for (const key of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const)
    if (container[key]) setProbeDefaults(container[key])
  dropStopSignal(container)
  for (const hook of [container.lifecycle?.postStart, container.lifecycle?.preStop]) {
    if (hook?.sleep) fill(hook.sleep, 'seconds', 0)
    if (hook?.httpGet) setHttpGetDefaults(hook.httpGet)
  }
}

const setDownwardItems = (list: Decoded<DownwardAPIVolumeFile[]> | undefined): void => {
  for (const item of items(list)) {
    if (item.fieldRef) fillText(item.fieldRef, 'apiVersion', 'v1')
    if (item.resourceFieldRef) fill(item.resourceFieldRef, 'divisor', '0')
  }
}

type SharedSources = Pick<Volume, 'iscsi' | 'rbd' | 'scaleIO'>

/** Defaults of sources that volumes of pods and PersistentVolumes share. */
export const setVolumeSourceDefaults = (volume: Decoded<SharedSources>): void => {
  if (volume.iscsi) fillText(volume.iscsi, 'iscsiInterface', 'default')
  if (volume.rbd) {
    fillText(volume.rbd, 'pool', 'rbd')
    fillText(volume.rbd, 'user', 'admin')
    fillText(volume.rbd, 'keyring', '/etc/ceph/keyring')
  }
  if (volume.scaleIO) {
    fillText(volume.scaleIO, 'storageMode', 'ThinProvisioned')
    fillText(volume.scaleIO, 'fsType', 'xfs')
  }
}

const setVolumeDefaults = (volume: Decoded<Volume>): void => {
  const { name, ...sources } = volume
  if (!Object.values(sources).some(Boolean)) volume.emptyDir = {}
  if (volume.secret) fill(volume.secret, 'defaultMode', defaultFileMode)
  if (volume.configMap) fill(volume.configMap, 'defaultMode', defaultFileMode)
  if (volume.hostPath) fill(volume.hostPath, 'type', '')
  if (volume.downwardAPI) {
    fill(volume.downwardAPI, 'defaultMode', defaultFileMode)
    setDownwardItems(volume.downwardAPI.items)
  }
  if (volume.projected) {
    fill(volume.projected, 'defaultMode', defaultFileMode)
    for (const source of items(volume.projected.sources)) {
      if (source.serviceAccountToken)
        fill(source.serviceAccountToken, 'expirationSeconds', defaultTokenExpirationSeconds)
      if (source.downwardAPI) setDownwardItems(source.downwardAPI.items)
    }
  }
  setVolumeSourceDefaults(volume)
  if (volume.azureDisk) {
    fill(volume.azureDisk, 'cachingMode', 'ReadWrite')
    fill(volume.azureDisk, 'fsType', 'ext4')
    fill(volume.azureDisk, 'readOnly', false)
    fill(volume.azureDisk, 'kind', 'Shared')
  }
  if (volume.ephemeral?.volumeClaimTemplate?.spec)
    fill(volume.ephemeral.volumeClaimTemplate.spec, 'volumeMode', 'Filesystem')
  if (volume.image) fillText(volume.image, 'pullPolicy', defaultPullPolicy(volume.image.reference ?? ''))
}

/** Defaults that a pod's spec and a template's spec share. */
export const setPodSpecDefaults = (spec: Decoded<PodSpec>): void => {
  fillText(spec, 'restartPolicy', 'Always')
  fillText(spec, 'dnsPolicy', 'ClusterFirst')
  fillText(spec, 'schedulerName', 'default-scheduler')
  fill(spec, 'terminationGracePeriodSeconds', defaultTerminationGracePeriodSeconds)
  section(spec, 'securityContext')
  dropZero(spec, 'hostNetwork', 'hostPID', 'hostIPC', 'nodeName', 'hostname', 'subdomain', 'priorityClassName')
  // The deprecated name of the same field is served beside it.
  const account = spec.serviceAccountName || spec.serviceAccount
  if (account) {
    spec.serviceAccountName = account
    spec.serviceAccount = account
  }
  for (const list of containerLists) for (const container of items(spec[list])) setContainerDefaults(container)
  for (const volume of items(spec.volumes)) setVolumeDefaults(volume)
}

/** A workload's template: `spec.template`. */
export const setPodTemplateDefaults = (template: Decoded<PodTemplateSpec> | undefined): void => {
  if (!template) return
  section(template, 'metadata')
  setPodSpecDefaults(section(template, 'spec'))
}

const requestsFromLimits = (resources: Decoded<ResourceRequirements> | undefined): void => {
  if (!resources?.limits) return
  const requests = section(resources, 'requests')
  for (const [name, quantity] of entries(resources.limits)) fill(requests, name, quantity)
}

/** A pod itself: the shared part, and what only pods get. */
export const setPodDefaults = (draft: Draft<Pod>): void => {
  const spec = section(draft, 'spec')
  fill(spec, 'enableServiceLinks', true)
  for (const list of ['initContainers', 'containers'] as const)
    for (const container of items(spec[list])) {
      requestsFromLimits(container.resources)
      if (spec.hostNetwork === true)
        for (const port of items(container.ports)) if (!port.hostPort) port.hostPort = port.containerPort
    }
  setPodResourceDefaults(spec)
  setPodSpecDefaults(spec)
  // The one address and the list of addresses say the same.
  const { status } = draft
  if (status?.podIP && items(status.podIPs)[0]?.ip !== status.podIP) status.podIPs = [{ ip: status.podIP }]
}
