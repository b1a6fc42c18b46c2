// Metrics and what scales by them, as people see them. Simulated pods use what their annotations say.
import assert from 'node:assert/strict'
import { type Case, has, topic } from '../src/case.ts'
import { deployment } from '../src/manifests.ts'

const docs = 'kubernetes.io/docs'
/** Reports of use come every fifteen seconds, and so does an autoscaler's look at them. */
const slow = 60_000

export const autoscalingCases: readonly Case[] = topic('autoscaling', {
  'pods-and-nodes-show-what-they-use-and-an-autoscaler-acts-on-it': {
    rows: ['J16'],
    source: `${docs}/reference/kubectl/generated/kubectl_top; ${docs}/concepts/workloads/autoscaling/horizontal-pod-autoscale`,
    async run(t) {
      const manifest = deployment('web', 1)
      manifest.spec.template.metadata.annotations = { 'simulated.shiplog.dev/cpu-usage': '90m' }
      manifest.spec.template.spec.containers[0].resources = { requests: { cpu: '100m', memory: '64Mi' } }
      await t.feed('apply -f -', manifest)
      await t.k('autoscale deployment web --cpu=50% --min=1 --max=2')
      await t.eventually(async () => {
        has(await t.k('top pods --no-headers'), /^web-\S+ +90m +32Mi/)
        has(await t.k('top nodes'), /^node-0 +\d+m +\d+% +\d+Mi/m)
      }, slow)
      has(await t.k('top pods --containers --no-headers -l app=web'), /^web-\S+ +web +90m +32Mi/)
      has(await t.k('top pods --no-headers --sort-by=cpu -A'), /web-/)
      await t.eventually(async () => {
        const { status } = await t.get('hpa web')
        assert.equal(status.desiredReplicas, 2)
        assert.equal(status.currentMetrics[0].resource.current.averageUtilization, 90)
      }, slow)
      await t.eventually(async () => has(await t.k('get hpa web --no-headers'), /cpu: 90%\/50% +1 +2 +2/), slow)
      has(await t.k('describe hpa web'), /SuccessfulRescale .*New size: 2; reason: cpu resource utilization \(percentage of request\) above target/)
    },
  },
  'metrics-are-an-api-like-others': {
    rows: ['J16'],
    source: 'github.com/kubernetes/metrics',
    async run(t) {
      has(await t.k('api-resources --api-group=metrics.k8s.io'), /pods +metrics\.k8s\.io\/v1beta1 +true +PodMetrics/)
      await t.eventually(async () => {
        const node = JSON.parse(await t.k('get --raw /apis/metrics.k8s.io/v1beta1/nodes/node-1'))
        assert.deepEqual([node.kind, node.metadata.name, node.window], ['NodeMetrics', 'node-1', '15s'])
      }, slow)
      const list = JSON.parse(
        await t.k('get --raw /apis/metrics.k8s.io/v1beta1/nodes?labelSelector=kubernetes.io/hostname=node-2'),
      )
      assert.deepEqual(list.items.map((item: { metadata: { name: string } }) => item.metadata.name), ['node-2'])
      const missing = await t.kAll('get --raw /apis/metrics.k8s.io/v1beta1/nodes/none')
      has(missing.stderr, 'NotFound')
      const deleted = await t.kAll('delete --raw /apis/metrics.k8s.io/v1beta1/nodes/node-1')
      assert.notEqual(deleted.code, 0)
    },
  },
})
