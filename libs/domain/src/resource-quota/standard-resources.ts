// The resources of a namespace that Kubernetes itself knows.
export const objectCounts = [
  ...['pods', 'services', 'replicationcontrollers', 'resourcequotas', 'secrets', 'configmaps'],
  ...['persistentvolumeclaims', 'services.nodeports', 'services.loadbalancers'],
]
const standardResources = [
  ...['cpu', 'memory', 'ephemeral-storage', 'requests.cpu', 'requests.memory', 'requests.storage'],
  ...['requests.ephemeral-storage', 'limits.cpu', 'limits.memory', 'limits.ephemeral-storage'],
  ...objectCounts,
]

export const isStandardResource = (name: string): boolean =>
  standardResources.includes(name) || /^(requests\.)?hugepages-/.test(name)
