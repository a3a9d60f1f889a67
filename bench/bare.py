"""Accept and discard: what FastAPI and uvicorn cost without a service behind them.

It checks the bearer and validates the same body as alertgate's Particle webhook, and stores nothing.
`python -m bench.bare PORT`
"""

import hmac
import sys
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from torture.load import TOKEN

from alertgate.accept.particle import ParticleEvent

_scheme = HTTPBearer()


async def bearer(credentials: Annotated[HTTPAuthorizationCredentials, Depends(_scheme)]) -> None:
    """Check the token. Raises HTTPException (401) for a wrong one."""
    if not hmac.compare_digest(credentials.credentials.encode(), TOKEN.encode()):
        raise HTTPException(401)


app = FastAPI()


@app.post("/webhook/particle", status_code=202, dependencies=[Depends(bearer)])
async def accept(body: ParticleEvent) -> dict[str, str | None]:
    """Validate and discard."""
    return {"status": "accepted", "id": body.event_id}


@app.get("/health")
async def health() -> dict[str, str]:
    """Report that it is up."""
    return {"status": "healthy"}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_level="warning")
