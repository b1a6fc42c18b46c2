// What a Service gets for every combination of policy, families and addresses, made so and changed to be so, beside what
// upstream's allocator gives it. The addresses that are drawn are blanked.
import type { Any } from '../src/case.ts'
import type { HttpAnswer, HttpClient, HttpRequest } from '../src/http.ts'
import type { Report } from './report.ts'
import { comparedNamespace } from './valid-manifests.ts'

const services = `/api/v1/namespaces/${comparedNamespace}/services`
const [address4, address6] = ['10.96.0.77', 'fd00:10:96::77']

const policies = [undefined, 'SingleStack', 'PreferDualStack', 'RequireDualStack']
const families = [undefined, ['IPv4'], ['IPv6'], ['IPv4', 'IPv6'], ['IPv6', 'IPv4']]
const addresses: readonly Any[] = [
  {},
  { clusterIP: 'None' },
  { clusterIP: address4 },
  { clusterIP: address6 },
  { clusterIP: address4, clusterIPs: [address4, address6] },
  { clusterIP: address6, clusterIPs: [address6, address4] },
  { clusterIPs: [address4] },
]
const more: readonly Any[] = [{}, { selector: null }, { type: 'ExternalName', externalName: 'example.com' }]

const combined = (lists: readonly (readonly Any[])[]): Any[] =>
  lists.reduce<Any[]>((specs, list) => specs.flatMap((spec) => list.map((one) => ({ ...spec, ...one }))), [{}])

const wishes = combined([
  policies.map((ipFamilyPolicy) => (ipFamilyPolicy ? { ipFamilyPolicy } : {})),
  families.map((ipFamilies) => (ipFamilies ? { ipFamilies } : {})),
  addresses,
])

const plain = { selector: { app: 'web' }, ports: [{ name: 'a', port: 80 }] }

/** Services that are there before they are changed; all of them exist on a cluster of two ranges. */
const present: readonly Any[] = [
  {},
  { ipFamilies: ['IPv6'] },
  { ipFamilyPolicy: 'PreferDualStack' },
  { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6', 'IPv4'] },
  { clusterIP: 'None' },
  { clusterIP: 'None', ipFamilyPolicy: 'PreferDualStack' },
  { type: 'ExternalName', externalName: 'example.com' },
]

const blank = (text: string): string =>
  text
    // Of 10.96.0.0/12, the default range.
    .replace(/10\.(?:9[6-9]|10\d|11[01])\.\d+\.\d+/g, (found) => (found === address4 ? found : '<IPv4>'))
    .replace(/fd00:10:96::[0-9a-f:]*/g, (found) => (found === address6 ? found : '<IPv6>'))

function seen({ code, json }: HttpAnswer): unknown {
  const { clusterIP, clusterIPs, ipFamilies, ipFamilyPolicy, type } = json?.spec ?? {}
  // In which order what is wrong is told says nothing.
  const told = json?.details?.causes
    ?.map(({ field, message }: Any) => `${field}: ${message}`)
    .sort()
  const shown =
    code < 300 ? { clusterIP, clusterIPs, ipFamilies, ipFamilyPolicy, type } : (told ?? json?.message)
  return { code, shown: JSON.parse(blank(JSON.stringify(shown ?? null))) }
}

/** Both sides must have been started with the same ranges. */
export async function compareFamilies(
  what: string,
  upstream: HttpClient,
  ours: HttpClient,
  report: Report,
): Promise<void> {
  const ask = async (name: string, request: HttpRequest): Promise<void> => {
    const [expected, actual] = await Promise.all([upstream.send(request), ours.send(request)])
    if (report.wants(name)) report.compare(name, seen(expected), seen(actual))
  }
  for (const client of [upstream, ours])
    await client.send({ method: 'POST', path: '/api/v1/namespaces', body: { metadata: { name: comparedNamespace } } })
  for (const wish of combined([more, wishes])) {
    const spec = { ...plain, ...wish }
    const body = { metadata: { name: 'families' }, spec }
    await ask(`${what}: a service of ${JSON.stringify(wish)}`, { method: 'POST', path: `${services}?dryRun=All`, body })
  }
  for (const [index, before] of present.entries()) {
    const name = `families-${index}`
    const made = `${what}: a service of ${JSON.stringify(before)}`
    await ask(`${made} is made`, {
      method: 'POST',
      path: services,
      body: { metadata: { name }, spec: { ...plain, ...before } },
    })
    for (const wish of combined([[{}, { type: 'ClusterIP', externalName: null }, ...more.slice(2)], wishes])) {
      const request = {
        method: 'PATCH',
        path: `${services}/${name}?dryRun=All`,
        headers: { 'content-type': 'application/merge-patch+json' },
        body: JSON.stringify({ spec: wish }),
      }
      await ask(`${made} becomes ${JSON.stringify(wish)}`, request)
    }
  }
}
