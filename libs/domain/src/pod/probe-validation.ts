// Probes and lifecycle hooks of a container: what they call, and how often.
import { forbiddenField, invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type { Container, LifecycleHandler, Probe } from '@shiplog/api/generated/types/core-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded } from '@shiplog/api/decoded'
import { byRule, items, nonNegative, requiredText } from '../fields.ts'
import { httpHeaderName, portName, portNumber } from '../names.ts'

/** What a probe or a hook may call. */
type Handler = LifecycleHandler & Pick<Probe, 'grpc'>

/** A port by number or by name. */
export const validatePortNumberOrName = (port: unknown, field: string): StatusCause[] => {
  if (typeof port === 'string') return byRule(portName, port, field)
  return portNumber(port ?? 0).map((sentence) => invalidValue(field, port ?? 0, sentence))
}

type ActionRule<Kind extends keyof Handler> = (
  action: Decoded<NonNullable<Handler[Kind]>>,
  field: string,
  graceSeconds: number,
) => StatusCause[]

const actionRules: { readonly [Kind in keyof Handler]-?: ActionRule<Kind> } = {
  exec: (action, field) => (items(action.command).length === 0 ? [required(`${field}.command`)] : []),
  httpGet: (action, field) => {
    const causes = [
      ...requiredText(action.path, `${field}.path`),
      ...validatePortNumberOrName(action.port, `${field}.port`),
    ]
    if (action.scheme !== 'HTTP' && action.scheme !== 'HTTPS')
      causes.push(notSupported(`${field}.scheme`, action.scheme ?? '', ['HTTP', 'HTTPS']))
    for (const { name = '' } of items(action.httpHeaders))
      causes.push(...byRule(httpHeaderName, name, `${field}.httpHeaders`))
    return causes
  },
  tcpSocket: (action, field) => validatePortNumberOrName(action.port, `${field}.port`),
  grpc: ({ port = 0 }, field) => portNumber(port).map((sentence) => invalidValue(`${field}.port`, port, sentence)),
  sleep: ({ seconds = 0 }, field, graceSeconds) =>
    seconds < 0 || seconds > graceSeconds
      ? [
          invalidValue(
            field,
            seconds,
            `must be non-negative and less than terminationGracePeriodSeconds (${graceSeconds})`,
          ),
        ]
      : [],
}

const validateAction = <Kind extends keyof Handler>(
  kind: Kind,
  action: Decoded<NonNullable<Handler[Kind]>>,
  field: string,
  graceSeconds: number,
): StatusCause[] => (actionRules[kind] as ActionRule<Kind>)(action, field, graceSeconds)

const validateHandler = (
  handler: Decoded<Handler>,
  field: string,
  kinds: readonly (keyof Handler)[],
  graceSeconds = 0,
): StatusCause[] => {
  const causes: StatusCause[] = []
  let found = 0
  for (const kind of kinds) {
    const action = handler[kind]
    if (!action) continue
    found += 1
    const at = `${field}.${kind}`
    if (found > 1) causes.push(forbiddenField(at, 'may not specify more than 1 handler type'))
    else causes.push(...validateAction(kind, action, at, graceSeconds))
  }
  if (found === 0) causes.push(required(field, 'must specify a handler type'))
  return causes
}

const validateProbe = (probe: Decoded<Probe>, field: string): StatusCause[] => {
  const causes = validateHandler(probe, field, ['exec', 'httpGet', 'tcpSocket', 'grpc'])
  for (const key of [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ] as const)
    causes.push(...nonNegative(probe[key], `${field}.${key}`))
  const grace = probe.terminationGracePeriodSeconds
  if (typeof grace === 'number' && grace <= 0)
    causes.push(invalidValue(`${field}.terminationGracePeriodSeconds`, grace, 'must be greater than 0'))
  return causes
}

/** Sidecars and containers may have probes. */
export const validateProbes = (container: Decoded<Container>, field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  for (const key of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    const probe = container[key]
    if (!probe) continue
    causes.push(...validateProbe(probe, `${field}.${key}`))
    if (key === 'readinessProbe') {
      if (typeof probe.terminationGracePeriodSeconds === 'number')
        causes.push(
          invalidValue(
            `${field}.${key}.terminationGracePeriodSeconds`,
            probe.terminationGracePeriodSeconds,
            'must not be set for readinessProbes',
          ),
        )
    } else if (probe.successThreshold !== 1)
      causes.push(invalidValue(`${field}.${key}.successThreshold`, probe.successThreshold, 'must be 1'))
  }
  return causes
}

/** What is called after the start and before the end. */
export const validateLifecycle = (
  container: Decoded<Container>,
  field: string,
  graceSeconds: number,
): StatusCause[] => {
  const causes: StatusCause[] = []
  for (const hook of ['postStart', 'preStop'] as const) {
    const handler = container.lifecycle?.[hook]
    if (handler)
      causes.push(
        ...validateHandler(
          handler,
          `${field}.lifecycle.${hook}`,
          ['exec', 'httpGet', 'tcpSocket', 'sleep'],
          graceSeconds,
        ),
      )
  }
  return causes
}
