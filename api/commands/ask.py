"""`lastro ask` and `lastro search`."""

from typing import Annotated

import typer
from rich.markup import escape

from api.client import Json, connected
from api.commands.output import AsJson, err, out, run, show_json
from api.settings import load_settings

ActingAs = Annotated[str | None, typer.Option("--as", help="Ask as this user (with the local token only).")]
NEAREST = 3


def ask(
    question: str,
    acting_as: ActingAs = None,
    language: Annotated[str | None, typer.Option(help="Answer in en or pt; default that of the question.")] = None,
    may_leave: Annotated[bool, typer.Option("--may-leave", help="The question may go to the cloud fallback.")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask a question; the answer cites the words it rests on, or says why there is none."""
    body: Json = {"question": question, "language": language, "may_leave": may_leave}

    async def work() -> Json:
        with err.status("Searching and reading…"):
            async with connected(load_settings(), acting_as=acting_as) as client:
                return await client.post("/v1/answers", body)

    answer = run(work, as_json=as_json)
    show_json(answer) if as_json else show_answer(answer)


def search(
    query: str,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 10,
    acting_as: ActingAs = None,
    as_json: AsJson = False,
) -> None:
    """Search for passages, without an answer."""

    async def work() -> Json:
        async with connected(load_settings(), acting_as=acting_as) as client:
            return await client.post("/v1/search", {"query": query, "limit": limit})

    found = run(work, as_json=as_json)
    if as_json:
        show_json(found)
        return
    for n, passage in enumerate(found["passages"], 1):
        out.print(f"[bold]{n}. {escape(place(passage))}[/bold]  {passage['score']:.3f}  {passage['label']}")
        out.print(f"   {one_line(passage['text'], 300)}", markup=False)
    if not found["passages"]:
        out.print("Nothing found that you may read.")


def show_answer(answer: Json) -> None:
    """An answer as people read it: text, then what it rests on, then where it was made and what left."""
    if answer["status"] == "answered":
        out.print(answer["answer"], markup=False)
    else:
        out.print(f"[yellow]No answer[/yellow] ({answer['refusal']['reason']}): {escape(answer['refusal']['message'])}")
    cited = answer["citations"] if answer["status"] == "answered" else answer["citations"][:NEAREST]
    if cited:
        out.print("" if answer["status"] == "answered" else "Nearest passages:")
    for citation in cited:
        out.print(f"[bold]\\[{citation['n']}][/bold] {escape(place(citation))}")
        out.print(f"    “{one_line(citation['quote'], 400)}”", markup=False)
    out.print()
    out.print(f"[dim]{escape(provenance(answer))}[/dim]")


def provenance(answer: Json) -> str:
    """Where the answer was made, how sure it is, and what left the building."""
    egress = answer["egress"]
    left = f"Left the building: receipt {egress['receipt']}." if egress["left"] else "Nothing left this machine."
    route = answer["route"]
    made = f"Made {'here' if route['place'] == 'local' else 'in the cloud'} by {route['model']}"
    total = answer["timings_ms"].get("total", 0) / 1000
    return f"{made} in {total:.1f} s, confidence {answer['confidence']:.2f}, label {answer['label']}. {left}"


def place(found: Json) -> str:
    """Title, file and page of a passage or citation."""
    page = f", page {found['page']}" if found["page"] else ""
    title = found["title"] or found["uri"]
    return f"{title} ({found['uri']}{page})"


def one_line(text: str, most: int) -> str:
    """The text without line breaks, cut at `most` characters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"
