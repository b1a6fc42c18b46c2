// Services, nodes and pods of a cluster with a range of each family; dual-stack.test.ts starts it.
import assert from 'node:assert/strict'
import { type Case, has, topic } from '../src/case.ts'
import { deployment, service } from '../src/manifests.ts'

const source = 'kubernetes.io/docs/concepts/services-networking/dual-stack'
const [ipv4, ipv6] = ['10\\.96\\.\\d+\\.\\d+', 'fd00:10:96::[0-9a-f]+']

export const dualStackCases: readonly Case[] = topic('dual-stack', {
  'a-service-has-the-families-of-its-policy': {
    rows: ['C1'],
    source: `${source}#services`,
    async run(t) {
      await t.feed('create -f -', service('one', 'x'), service('two', 'x', { ipFamilyPolicy: 'PreferDualStack' }))
      await t.feed('create -f -', service('six', 'x', { ipFamilies: ['IPv6'] }))
      const { spec } = await t.get('service two')
      assert.deepEqual(spec.ipFamilies, ['IPv4', 'IPv6'])
      assert.equal(spec.clusterIP, spec.clusterIPs[0])
      has(await t.k('describe service two'), new RegExp(`^IPs: +${ipv4},${ipv6}$`, 'm'), /^IP Families: +IPv4,IPv6$/m)
      assert.deepEqual((await t.get('service one')).spec.ipFamilies, ['IPv4'])
      has(await t.k('get service six'), new RegExp(`^six +ClusterIP +${ipv6} `, 'm'))
    },
  },
  'a-service-changes-its-policy': {
    rows: ['C15'],
    source: `${source}#switching-services-between-single-stack-and-dual-stack`,
    async run(t) {
      await t.feed('create -f -', service('web', 'web'))
      const [first] = (await t.get('service web')).spec.clusterIPs
      const patch = (policy: string): string => JSON.stringify({ spec: { ipFamilyPolicy: policy } })
      await t.k(`patch service web -p ${patch('RequireDualStack')}`)
      const { clusterIPs } = (await t.get('service web')).spec
      assert.equal(clusterIPs.length, 2)
      assert.equal(clusterIPs[0], first)
      const fewer = JSON.stringify({ spec: { clusterIPs: [first] } })
      has(
        await t.kFails(['patch', 'service', 'web', '--type=merge', '-p', fewer]),
        "must be 'SingleStack' to release the secondary cluster IP",
      )
      await t.k(`patch service web -p ${patch('SingleStack')}`)
      assert.deepEqual((await t.get('service web')).spec.clusterIPs, [first])
    },
  },
  'pods-and-slices-have-both-families': {
    rows: ['D5'],
    source,
    async run(t) {
      await t.feed('create -f -', deployment('web', 2), service('web', 'web', { ipFamilyPolicy: 'RequireDualStack' }))
      await t.k('rollout status deployment/web')
      const [pod] = (await t.get('pods -l app=web')).items
      assert.equal(pod.status.podIPs.length, 2)
      has(pod.status.podIPs[0].ip, /^10\.244\./)
      has(pod.status.podIPs[1].ip, /^fd00:10:244:/)
      await t.k(
        'wait --for=jsonpath={.endpoints[1].conditions.ready}=true endpointslice -l kubernetes.io/service-name=web',
      )
      const out = await t.k('get endpointslices -l kubernetes.io/service-name=web')
      has(out, /IPv4 +8080 +10\.244\.[\d.]+,10\.244\./, /IPv6 +8080 +fd00:10:244:[0-9a-f:]+,fd00:10:244:/)
    },
  },
})
