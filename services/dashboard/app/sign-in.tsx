// Signing in: with the link that the command prints, a bearer token, or the certificate that the browser has.
import { type FormEvent, useState } from 'react'
import { type SessionInfo, signIn } from './data/api.ts'
import { Logo } from './parts/icons.tsx'

export function SignIn({ why, onSignedIn }: { readonly why: string; readonly onSignedIn: (session: SessionInfo) => void }) {
  const [token, setToken] = useState('')
  const [readOnly, setReadOnly] = useState(false)
  const [failure, setFailure] = useState(why)
  const attempt = (how: { token?: string; certificate?: boolean }): void => {
    setFailure('')
    signIn({ ...how, readOnly }).then(onSignedIn, (error: Error) => setFailure(error.message))
  }
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    attempt({ token: token.trim() })
  }
  return (
    <main className="gate">
      <form className="gate-card" onSubmit={submit}>
        <h1>
          <Logo /> Shiplog
        </h1>
        <p>
          The quickest way in is a link that works once. Print one where the cluster runs:
          <code className="command">npx shiplog dashboard</code>
        </p>
        <label htmlFor="token">Or a bearer token</label>
        <input
          id="token"
          type="password"
          autoComplete="off"
          spellCheck={false}
          placeholder="kubectl create token NAME"
          value={token}
          onChange={(event) => setToken(event.target.value)}
        />
        <label className="check">
          <input type="checkbox" checked={readOnly} onChange={(event) => setReadOnly(event.target.checked)} />
          Only look: this session changes nothing
        </label>
        <div className="row">
          <button type="submit" className="primary" disabled={token.trim() === ''}>
            Sign in
          </button>
          <button type="button" onClick={() => attempt({ certificate: true })}>
            Use my certificate
          </button>
        </div>
        {failure !== '' && (
          <p role="alert" className="failure">
            {failure}
          </p>
        )}
      </form>
    </main>
  )
}
