import { expect, test } from 'vitest'
import { podOfManifest } from './manifest.ts'

const manifest = (more = ''): string => `
apiVersion: v1
kind: Pod
metadata:
  name: web
  labels: {app: web}
spec:
  containers:
  - {name: main, image: 'nginx:1', ports: [{containerPort: 80}], readinessProbe: {tcpSocket: {port: 80}}}
${more}`
const parse = (text: string, path = '/m/web.yaml') => podOfManifest({ bytes: Buffer.from(text), path, nodeName: 'worker-0' })

test('a manifest is a pod of its node, with the defaults of the API and a uid that its content makes', () => {
  const pod = parse(manifest())
  expect(pod.metadata).toMatchObject({ name: 'web-worker-0', namespace: 'default', labels: { app: 'web' } })
  expect(pod.metadata.uid).toMatch(/^[0-9a-f]{32}$/)
  expect(pod.metadata.annotations).toEqual({ 'kubernetes.io/config.hash': pod.metadata.uid, 'kubernetes.io/config.source': 'file' })
  expect(pod.spec).toMatchObject({
    nodeName: 'worker-0',
    restartPolicy: 'Always',
    tolerations: [{ operator: 'Exists', effect: 'NoExecute' }],
    containers: [{ imagePullPolicy: 'IfNotPresent', readinessProbe: { periodSeconds: 10, failureThreshold: 3 }, ports: [{ protocol: 'TCP' }] }],
  })
  expect(parse(manifest()).metadata.uid).toBe(pod.metadata.uid)
  expect(parse(manifest('  hostNetwork: true')).metadata.uid).not.toBe(pod.metadata.uid)
  expect(parse(manifest(), '/m/other.yaml').metadata.uid).not.toBe(pod.metadata.uid)
})

test.each([
  ['', /invalid pod/],
  ['[1]', /cannot unmarshal array/],
  ['{"apiVersion": "apps/v1", "kind": "Deployment"}', /invalid pod: apps\/v1 Deployment/],
  [manifest().replace('name: web\n', 'labels2: x\n'), /name is needed/],
  [manifest().replace('name: web\n', 'name: ../web\n'), /metadata.name/],
  [manifest().replace('containers:', 'containers2:'), /spec.containers: Required value/],
  [manifest('  terminationGracePeriodSeconds: soon'), /cannot unmarshal string/],
  [manifest('  volumes: [{name: v, projected: {sources: [{clusterTrustBundle: {path: a, name: b}}]}}]'), /ClusterTrustBundle/],
  ['a: &a [*a]', /./],
])('%j is refused', (text, why) => expect(() => parse(text)).toThrow(why))
