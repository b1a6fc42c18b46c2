import { describe, expect, test } from 'vitest'
import { createProxyTargets, parseProxyName } from './proxy-targets.ts'

describe('the name of what is proxied', () => {
  test.each([
    ['web', { scheme: '', name: 'web', port: '' }],
    ['web:80', { scheme: '', name: 'web', port: '80' }],
    ['web:', { scheme: '', name: 'web', port: '' }],
    ['https:web:', { scheme: 'https', name: 'web', port: '' }],
    ['http:web:admin', { scheme: 'http', name: 'web', port: 'admin' }],
    [':web:80', { scheme: '', name: 'web', port: '80' }],
    ['ftp:web:80', undefined],
    ['http::80', undefined],
    [':80', undefined],
    ['a:b:c:d', undefined],
  ])('%s', (text, expected) => {
    expect(parseProxyName(text)).toEqual(expected)
  })
})

const pod = (name: string, ip: string, ports: object[] = []) => ({
  metadata: { name, namespace: 'a', uid: `uid-${name}` },
  spec: { nodeName: 'n', containers: [{ name: 'main', ports }] },
  status: { podIPs: [{ ip }] },
})
const objects: Record<string, object> = {
  'pods/a/web': pod('web', '10.0.0.1', [{ containerPort: 8080 }]),
  'pods/a/new': { ...pod('new', ''), status: {} },
  'pods/a/six': pod('six', 'fd00::1'),
  'services/a/web': { spec: { ports: [{ name: 'http', port: 80 }, { port: 81 }] } },
  'endpoints/a/web': {
    subsets: [
      { addresses: [{ ip: '10.9.9.9' }, { ip: '10.0.0.9', targetRef: { namespace: 'a', name: 'web' } }], ports: [{ name: 'http', port: 1 }] },
      { addresses: [{ ip: '10.0.0.1', targetRef: { namespace: 'a', name: 'web' } }], ports: [{ name: 'http', port: 8080 }, { port: 9 }] },
    ],
  },
  'endpoints/a/none': { subsets: [] },
  'nodes//n': { metadata: { name: 'n' } },
}

function targetsOf(asked: unknown[]) {
  return createProxyTargets({
    integer: () => 0,
    reader: {
      get: (resource: { resource: string }, namespace: string, name: string) => {
        const found = objects[`${resource.resource}/${namespace}/${name}`]
        return found ? Promise.resolve({ name, parse: () => found }) : Promise.reject(Object.assign(new Error('no'), { name: 'ApiError', status: { code: 404 } }))
      },
    } as never,
    tunnels: { open: (...request: unknown[]) => { asked.push(request.slice(0, 2)); return Promise.reject(new Error('not played')) } } as never,
  })
}

async function find(resource: 'pods' | 'services' | 'nodes', name: string): Promise<unknown> {
  const asked: unknown[] = []
  try {
    const namespace = resource === 'nodes' ? '' : 'a'
    const found = await targetsOf(asked).find({ resource: { resource, singular: resource.slice(0, -1) }, namespace, name } as never)
    await found.dial(new AbortController().signal).catch(() => undefined)
    return [found.scheme, found.host, ...asked]
  } catch (error) {
    return (error as { status: { message?: string; code: number } }).status.message ?? (error as Error).message
  }
}

describe('a proxied request goes', () => {
  const web = ['n', { kind: 'connect', namespace: 'a', pod: 'web', uid: 'uid-web', port: 8080 }]
  test.each<['pods' | 'services' | 'nodes', string, unknown]>([
    ['pods', 'web', ['http', '10.0.0.1:8080', web]],
    ['pods', 'https:six:', ['https', '[fd00::1]:443', ['n', { kind: 'connect', namespace: 'a', pod: 'six', uid: 'uid-six', port: 443 }]]],
    ['pods', 'new', 'address not allowed'],
    ['pods', 'x:y:z:', 'invalid pod request "x:y:z:"'],
    ['pods', 'web:http', 'error trying to reach service: dial tcp: lookup tcp/http: unknown port'],
    ['services', 'web:http', ['http', '10.0.0.1:8080', web]],
    ['services', 'https:web:80', ['https', '10.0.0.1:8080', web]],
    ['services', 'web', ['http', '10.0.0.1:9', ['n', { kind: 'connect', namespace: 'a', pod: 'web', uid: 'uid-web', port: 9 }]]],
    ['services', 'web:82', 'no service port 82 found for service "web"'],
    ['services', 'web:other', 'no endpoints available for service "web:other"'],
    ['services', 'missing', 'services "missing" not found'],
    ['services', 'none', 'no endpoints available for service "none"'],
    ['nodes', 'n', ['http', 'n:10250', ['n', { kind: 'node', port: 'agent' }]]],
    ['nodes', 'https:n:10250', ['http', 'n:10250', ['n', { kind: 'node', port: 'agent' }]]],
    ['nodes', 'n:9100', ['http', 'n:9100', ['n', { kind: 'node', port: 9100 }]]],
  ])('for %s %s to %j', async (resource, name, expected) => {
    expect(await find(resource, name)).toEqual(expected)
  })
})
