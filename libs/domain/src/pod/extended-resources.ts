// Extended resources: what nodes have beside what Kubernetes itself knows (`example.com/gpu`).
import { qualifiedName } from '../names.ts'

/** As upstream's IsExtendedResourceName: qualified, of another domain than Kubernetes' own, and usable in a quota. */
export const isExtendedResource = (name: string): boolean =>
  name.includes('/') &&
  !name.includes('kubernetes.io/') &&
  !name.startsWith('requests.') &&
  qualifiedName(`requests.${name}`).length === 0
