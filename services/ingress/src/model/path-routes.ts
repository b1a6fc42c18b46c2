// The paths of one host: which of them a request takes. Exact before Prefix, the longest Prefix first, by elements
// (`/aaa/bb` is no prefix of `/aaa/bbb`), as the documentation of Ingress has it. ImplementationSpecific is Prefix here.

export type PathType = 'Exact' | 'Prefix' | 'ImplementationSpecific'

export interface PathRoutes<Target> {
  find(path: string): Target | undefined
}

export interface GrowingPathRoutes<Target> extends PathRoutes<Target> {
  /** The one that is there already, when there is one: it stays. */
  add(type: PathType, path: string, target: Target): Target | undefined
}

export function createPathRoutes<Target>(): GrowingPathRoutes<Target> {
  const exact = new Map<string, Target>()
  /** By path without trailing slashes: that of `/` is empty. */
  const prefixes = new Map<string, Target>()
  let elementsMax = 0

  return {
    add(type, path, target) {
      const isExact = type === 'Exact'
      const key = isExact ? path : withoutTrailingSlashes(path)
      const routes = isExact ? exact : prefixes
      const before = routes.get(key)
      if (before !== undefined) return before
      routes.set(key, target)
      if (!isExact) elementsMax = Math.max(elementsMax, key.split('/').length - 1)
      return undefined
    },
    find(path) {
      const found = exact.get(path)
      if (found !== undefined || prefixes.size === 0) return found
      // No deeper than any prefix goes, so that a path of thousands of elements costs no more than a short one.
      let prefix = firstElements(path, elementsMax)
      for (;;) {
        const one = prefixes.get(prefix)
        if (one !== undefined || prefix === '') return one
        prefix = prefix.slice(0, prefix.lastIndexOf('/'))
      }
    },
  }
}

const withoutTrailingSlashes = (path: string): string => path.replace(/\/+$/, '')

function firstElements(path: string, count: number): string {
  let end = -1
  for (let seen = 0; seen <= count; seen++) {
    end = path.indexOf('/', end + 1)
    if (end < 0) return path
  }
  return path.slice(0, end)
}
