// The objects that are written: 1.6 KB of JSON each, as large as a small Deployment's pod.

/** Bytes of a body as it is sent. */
export const payloadBytes = 1_650

/** Names have one length, so that bodies have. */
export const nameDigits = 8

export const nameOf = (prefix: string, number: number): string =>
  `${prefix}-${String(number).padStart(nameDigits, '0')}`

/** Where the name goes. */
export const nameMark = '%NAME%'
/** Where the microseconds of the monotonic clock go, 16 digits. */
export const sentMark = '%SENT_MICROS___%'
export const sentAnnotation = 'bench.shiplog.dev/sent'

const labels = { app: 'bench', 'app.kubernetes.io/name': 'bench', 'pod-template-hash': '7d9c6b8f54' }

/** Fills `filler` so that the whole has `payloadBytes`. */
function padded<Body extends object>(make: (filler: string) => Body): string {
  const bare = JSON.stringify(make(''))
  return JSON.stringify(make('x'.repeat(Math.max(0, payloadBytes - bare.length))))
}

export const configMapBody = (): string =>
  padded((filler) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: nameMark, labels, annotations: { [sentAnnotation]: sentMark } },
    data: { filler },
  }))

/** A pod that a scheduler of this name places; one that nobody is called stays Pending. */
export const podBody = (schedulerName: string): string =>
  padded((filler) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: nameMark,
      labels,
      annotations: { [sentAnnotation]: sentMark, 'bench.shiplog.dev/filler': filler },
    },
    spec: {
      schedulerName,
      containers: [
        {
          name: 'web',
          image: 'registry.k8s.io/pause:3.10',
          args: ['--listen', '0.0.0.0:8080'],
          ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
          env: [
            { name: 'LOG_LEVEL', value: 'info' },
            { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
          ],
          resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { cpu: '100m', memory: '64Mi' } },
          readinessProbe: { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 10 },
        },
      ],
    },
  }))

export const deploymentBody = (name: string, replicas: number): string =>
  JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          containers: [
            {
              name: 'web',
              image: 'registry.k8s.io/pause:3.10',
              resources: { requests: { cpu: '10m', memory: '16Mi' } },
            },
          ],
        },
      },
    },
  })

/** Microseconds of the clock that all processes of a machine share. */
export const monotonicMicros = (): number => Number(process.hrtime.bigint() / 1_000n)

export const sentDigits = (): string => String(monotonicMicros()).padStart(sentMark.length, '0')
