"""What the clients of agents in Python do with a hub: KIND URL. Prints a line of JSON for each step."""

import asyncio
import json
import sys

KIND, URL = sys.argv[1:3]
WAIT = {"channels": ["news"], "timeoutSeconds": 3000}
MINE = {"question": "Deploy?", "assignees": ["@user"], "timeoutSeconds": 30}
OTHERS = {"question": "Deploy?", "timeoutSeconds": 30}


def say(step, **more):
    print(json.dumps({"step": step, **more}), flush=True)


def structured(result):
    return getattr(result, "structured_content", None) or result.structuredContent


async def talk(call, revision, tools):
    say("connected", revision=revision, tools=tools)
    progress = []

    async def on_progress(done, total, message):
        progress.append(done)

    waited = structured(await call("wait_for_messages", WAIT, on_progress))
    say("woken", data=[each["data"] for each in waited["messages"]], hadProgress=len(progress) > 0)
    say("asked the user", answer=structured(await call("ask_person", MINE, on_progress)))
    say("asked others", answer=structured(await call("ask_person", OTHERS, on_progress)))


async def official():
    from mcp import Client, types

    async def elicit(context, params):
        return types.ElicitResult(action="accept", content={"answer": True})

    async with Client(URL, mode=KIND.split()[-1], elicitation_callback=elicit) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        call = lambda name, arguments, on: client.call_tool(name, arguments, progress_callback=on)
        await talk(call, client.protocol_version, tools)


async def official_v1():
    from mcp import ClientSession, types
    from mcp.client.streamable_http import streamablehttp_client

    async def elicit(context, params):
        return types.ElicitResult(action="accept", content={"answer": True})

    async with streamablehttp_client(URL) as (read, write, _):
        async with ClientSession(read, write, elicitation_callback=elicit) as session:
            begun = await session.initialize()
            tools = [tool.name for tool in (await session.list_tools()).tools]
            call = lambda name, arguments, on: session.call_tool(name, arguments, progress_callback=on)
            await talk(call, begun.protocolVersion, tools)


async def fastmcp():
    from fastmcp import Client

    async def elicit(message, response_type, params, context):
        return {"answer": True}

    async with Client(URL, elicitation_handler=elicit) as client:
        tools = [tool.name for tool in await client.list_tools()]
        call = lambda name, arguments, on: client.call_tool(name, arguments, progress_handler=on)
        await talk(call, None, tools)


asyncio.run({"v1": official_v1, "fastmcp": fastmcp}.get(KIND, official)())
