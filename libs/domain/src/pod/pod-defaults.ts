// Defaults of pods and of the pod templates inside workloads (k8s.io/kubernetes/pkg/apis/core/v1/defaults.go).
import type { JsonObject } from '@shiplog/api/kube-object'
import { defaultPullPolicy } from './image-reference.ts'
import { setPodResourceDefaults } from './pod-resources.ts'
import { entries, fill, fillText, items, section } from '../fields.ts'

const defaultTerminationGracePeriodSeconds = 30
/** 0644, the mode of files in secret, configMap, projected and downwardAPI volumes. */
const defaultFileMode = 420
const defaultTokenExpirationSeconds = 3600

const setHttpGetDefaults = (httpGet: JsonObject): void => {
  fillText(httpGet, 'path', '/')
  fillText(httpGet, 'scheme', 'HTTP')
}

const setProbeDefaults = (probe: JsonObject): void => {
  if (!probe['timeoutSeconds']) probe['timeoutSeconds'] = 1
  if (!probe['periodSeconds']) probe['periodSeconds'] = 10
  if (!probe['successThreshold']) probe['successThreshold'] = 1
  if (!probe['failureThreshold']) probe['failureThreshold'] = 3
  if (probe['httpGet']) setHttpGetDefaults(probe['httpGet'])
  if (probe['grpc']) fill(probe['grpc'], 'service', '')
}

/** Fields that are no pointers in the Go types: false, zero and '' are the same as nothing. */
const dropZero = (target: JsonObject, ...keys: readonly string[]): void => {
  for (const key of keys) if (key in target && !target[key]) delete target[key]
}

/** Behind a gate of upstream's that is off (ContainerStopSignals), and dropped with the hooks that say nothing else. */
const dropStopSignal = (container: JsonObject): void => {
  const lifecycle: JsonObject | undefined = container['lifecycle']
  if (lifecycle?.['stopSignal'] === undefined) return
  delete lifecycle['stopSignal']
  if (Object.keys(lifecycle).length === 0) delete container['lifecycle']
}

/** Rewrites a quantity-free part of a container: what every container of a pod or a template gets. */
const setContainerDefaults = (container: JsonObject): void => {
  if (!container['imagePullPolicy'])
    container['imagePullPolicy'] = defaultPullPolicy(typeof container['image'] === 'string' ? container['image'] : '')
  section(container, 'resources')
  fillText(container, 'terminationMessagePath', '/dev/termination-log')
  fillText(container, 'terminationMessagePolicy', 'File')
  dropZero(container, 'stdin', 'stdinOnce', 'tty', 'workingDir')
  for (const port of items(container['ports'])) {
    fillText(port, 'protocol', 'TCP')
    dropZero(port, 'hostPort', 'hostIP', 'name')
  }
  for (const mount of items(container['volumeMounts'])) dropZero(mount, 'readOnly', 'subPath', 'subPathExpr')
  for (const variable of items(container['env'])) {
    dropZero(variable, 'value')
    const source = variable.valueFrom
    if (!source) continue
    if (source.fieldRef) fillText(source.fieldRef, 'apiVersion', 'v1')
    if (source.resourceFieldRef) fill(source.resourceFieldRef, 'divisor', '0')
  }
  for (const key of ['livenessProbe', 'readinessProbe', 'startupProbe'])
    if (container[key]) setProbeDefaults(container[key])
  dropStopSignal(container)
  const lifecycle = container['lifecycle']
  for (const hook of ['postStart', 'preStop'])
    if (lifecycle?.[hook]?.sleep) fill(lifecycle[hook].sleep, 'seconds', 0)
  if (lifecycle)
    for (const hook of ['postStart', 'preStop'])
      if (lifecycle[hook]?.httpGet) setHttpGetDefaults(lifecycle[hook].httpGet)
}

const setDownwardItems = (list: unknown): void => {
  for (const item of items(list)) {
    if (item.fieldRef) fillText(item.fieldRef, 'apiVersion', 'v1')
    if (item.resourceFieldRef) fill(item.resourceFieldRef, 'divisor', '0')
  }
}

/** Defaults of sources that volumes of pods and PersistentVolumes share. */
export const setVolumeSourceDefaults = (volume: JsonObject): void => {
  if (volume['iscsi']) fillText(volume['iscsi'], 'iscsiInterface', 'default')
  if (volume['rbd']) {
    fillText(volume['rbd'], 'pool', 'rbd')
    fillText(volume['rbd'], 'user', 'admin')
    fillText(volume['rbd'], 'keyring', '/etc/ceph/keyring')
  }
  if (volume['scaleIO']) {
    fillText(volume['scaleIO'], 'storageMode', 'ThinProvisioned')
    fillText(volume['scaleIO'], 'fsType', 'xfs')
  }
}

const setVolumeDefaults = (volume: JsonObject): void => {
  let hasSource = false
  for (const key in volume) if (key !== 'name' && volume[key]) hasSource = true
  if (!hasSource) volume['emptyDir'] = {}
  if (volume['secret']) fill(volume['secret'], 'defaultMode', defaultFileMode)
  if (volume['configMap']) fill(volume['configMap'], 'defaultMode', defaultFileMode)
  if (volume['hostPath']) fill(volume['hostPath'], 'type', '')
  if (volume['downwardAPI']) {
    fill(volume['downwardAPI'], 'defaultMode', defaultFileMode)
    setDownwardItems(volume['downwardAPI'].items)
  }
  if (volume['projected']) {
    fill(volume['projected'], 'defaultMode', defaultFileMode)
    for (const source of items(volume['projected'].sources)) {
      if (source.serviceAccountToken)
        fill(source.serviceAccountToken, 'expirationSeconds', defaultTokenExpirationSeconds)
      if (source.downwardAPI) setDownwardItems(source.downwardAPI.items)
    }
  }
  setVolumeSourceDefaults(volume)
  if (volume['azureDisk']) {
    fill(volume['azureDisk'], 'cachingMode', 'ReadWrite')
    fill(volume['azureDisk'], 'fsType', 'ext4')
    fill(volume['azureDisk'], 'readOnly', false)
    fill(volume['azureDisk'], 'kind', 'Shared')
  }
  if (volume['ephemeral']?.volumeClaimTemplate?.spec)
    fill(volume['ephemeral'].volumeClaimTemplate.spec, 'volumeMode', 'Filesystem')
  if (volume['image'])
    fillText(volume['image'], 'pullPolicy', defaultPullPolicy(String(volume['image'].reference ?? '')))
}

/** Defaults that a pod's spec and a template's spec share. */
export const setPodSpecDefaults = (spec: JsonObject): void => {
  fillText(spec, 'restartPolicy', 'Always')
  fillText(spec, 'dnsPolicy', 'ClusterFirst')
  fillText(spec, 'schedulerName', 'default-scheduler')
  fill(spec, 'terminationGracePeriodSeconds', defaultTerminationGracePeriodSeconds)
  section(spec, 'securityContext')
  // Behind a gate of upstream's that is off (GenericWorkload), and dropped.
  delete spec['schedulingGroup']
  dropZero(spec, 'hostNetwork', 'hostPID', 'hostIPC', 'nodeName', 'hostname', 'subdomain', 'priorityClassName')
  // The deprecated name of the same field is served beside it.
  const account = spec['serviceAccountName'] || spec['serviceAccount']
  if (account) {
    spec['serviceAccountName'] = account
    spec['serviceAccount'] = account
  }
  for (const key of ['initContainers', 'containers', 'ephemeralContainers'])
    for (const container of items(spec[key])) setContainerDefaults(container)
  for (const volume of items(spec['volumes'])) setVolumeDefaults(volume)
}

/** A workload's template: `spec.template`. */
export const setPodTemplateDefaults = (template: JsonObject | undefined): void => {
  if (!template || typeof template !== 'object') return
  section(template, 'metadata')
  setPodSpecDefaults(section(template, 'spec'))
}

const requestsFromLimits = (resources: JsonObject | undefined): void => {
  if (!resources?.['limits']) return
  const requests = section(resources, 'requests')
  for (const [name, quantity] of entries(resources['limits'])) fill(requests, name, quantity)
}

/** A pod itself: the shared part, and what only pods get. */
export const setPodDefaults = (draft: JsonObject): void => {
  const spec = section(draft, 'spec')
  fill(spec, 'enableServiceLinks', true)
  for (const key of ['initContainers', 'containers'])
    for (const container of items(spec[key])) {
      requestsFromLimits(container.resources)
      if (spec['hostNetwork'] === true)
        for (const port of items(container.ports)) if (!port.hostPort) port.hostPort = port.containerPort
    }
  setPodResourceDefaults(spec)
  setPodSpecDefaults(spec)
  // The one address and the list of addresses say the same.
  const status: JsonObject | undefined = draft['status']
  if (status?.['podIP'] && items(status['podIPs'])[0]?.ip !== status['podIP'])
    status['podIPs'] = [{ ip: status['podIP'] }]
}
