// What a process may do beyond an ordinary one's: privileges, their escalation, capabilities, Windows host processes.
import { items } from '../fields.ts'
import {
  type Check,
  type CheckedContainer,
  type CheckPod,
  containersText,
  distinct,
  namesOf,
  quoteList,
  settersText,
  unlessWindows,
} from './check.ts'

const checkPrivileged: CheckPod = ({ containers }) => {
  const bad = containers.filter(({ securityContext }) => securityContext?.privileged)
  return bad.length === 0
    ? undefined
    : { reason: 'privileged', detail: `${containersText(namesOf(bad))} must not set securityContext.privileged=true` }
}

export const privileged: Check = { id: 'privileged', versions: [[0, checkPrivileged]] }

const checkWindowsHostProcess: CheckPod = ({ context, containers }) => {
  const isPod = context.windowsOptions?.hostProcess === true
  const bad = containers.filter(({ securityContext }) => securityContext?.windowsOptions?.hostProcess)
  return !isPod && bad.length === 0
    ? undefined
    : {
        reason: 'hostProcess',
        detail: `${settersText(isPod, bad)} must not set securityContext.windowsOptions.hostProcess=true`,
      }
}

export const windowsHostProcess: Check = { id: 'windowsHostProcess', versions: [[0, checkWindowsHostProcess]] }

const checkEscalation: CheckPod = ({ containers }) => {
  const bad = containers.filter(({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false)
  return bad.length === 0
    ? undefined
    : {
        reason: 'allowPrivilegeEscalation != false',
        detail: `${containersText(namesOf(bad))} must set securityContext.allowPrivilegeEscalation=false`,
      }
}

export const allowPrivilegeEscalation: Check = {
  id: 'allowPrivilegeEscalation',
  versions: [
    [8, checkEscalation],
    [25, unlessWindows(checkEscalation)],
  ],
}

/** What container runtimes give by default; NET_RAW, which they give too, is not among them. */
const baselineCapabilities: ReadonlySet<string> = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
])
const restrictedCapabilities: ReadonlySet<string> = new Set(['NET_BIND_SERVICE'])

/** The sentence about the containers that add other capabilities than those; undefined when none does. */
function addedText(containers: readonly CheckedContainer[], allowed: ReadonlySet<string>): string | undefined {
  const forbidden = ({ securityContext }: CheckedContainer): string[] =>
    items(securityContext?.capabilities?.add).filter((capability) => !allowed.has(capability))
  const bad = containers.filter((container) => forbidden(container).length > 0)
  if (bad.length === 0) return undefined
  const capabilities = quoteList(distinct(bad.flatMap(forbidden)))
  return `${containersText(namesOf(bad))} must not include ${capabilities} in securityContext.capabilities.add`
}

const checkCapabilitiesBaseline: CheckPod = ({ containers }) => {
  const detail = addedText(containers, baselineCapabilities)
  return detail === undefined ? undefined : { reason: 'non-default capabilities', detail }
}

export const capabilitiesBaseline: Check = { id: 'capabilities_baseline', versions: [[0, checkCapabilitiesBaseline]] }

const checkCapabilitiesRestricted: CheckPod = ({ containers }) => {
  const keeping = containers.filter(
    ({ securityContext }) => !items(securityContext?.capabilities?.drop).includes('ALL'),
  )
  const added = addedText(containers, restrictedCapabilities)
  const details = [
    ...(keeping.length > 0
      ? [`${containersText(namesOf(keeping))} must set securityContext.capabilities.drop=["ALL"]`]
      : []),
    ...(added === undefined ? [] : [added]),
  ]
  return details.length === 0 ? undefined : { reason: 'unrestricted capabilities', detail: details.join('; ') }
}

export const capabilitiesRestricted: Check = {
  id: 'capabilities_restricted',
  overrides: capabilitiesBaseline.id,
  versions: [
    [22, checkCapabilitiesRestricted],
    [25, unlessWindows(checkCapabilitiesRestricted)],
  ],
}
