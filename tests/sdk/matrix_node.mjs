// Every official Node client, and Vercel's, at providers of every dialect, through a gateway that `run` has started:
// the same cases, buffered and streamed. As the Python ones (`matrix_python.py`): what a provider was sent is proven by its
// own strictness, what the caller is told of usage by the provider's own bill.
//
// Look first at `cases`.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import Anthropic from "@anthropic-ai/sdk";
import { APICallError, generateText, jsonSchema, Output, streamText, tool } from "ai";
import OpenAI from "openai";

const world = JSON.parse(process.env.TRUNKLINE_WORLD);
const UPSTREAMS = ["openai", "claude", "gemini", "ollama", "cohere", "mistral", "bedrock"];
const TEXT = "Hello from the fake provider. It counts its words.";
const THOUGHT = "The words must be counted first.";
const ARGUMENTS = { city: "some words", days: 1 };
const SCHEMA = {
  type: "object",
  properties: { city: { type: "string" }, days: { type: "integer" } },
  required: ["city", "days"],
  additionalProperties: false,
};
const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const PATIENCE_MS = 20_000;

// Each caller has `ask(key, model, asked, streamed)`, which gives the answer in one form whatever the client, `turn`
// being the client's own; `question(asked)` and `results(answer)`, turns of its own form; `words(model, asked)`, a
// stream of text.

const openai = {
  client: (key) =>
    new OpenAI({ baseURL: `http://${world.address}/v1`, apiKey: key, maxRetries: 0, timeout: 30_000 }),

  question: ({ text, image }) => ({
    role: "user",
    content: image
      ? [
          { type: "text", text },
          { type: "image_url", image_url: { url: `data:image/png;base64,${PIXEL}` } },
        ]
      : text,
  }),

  body(model, asked) {
    const system = asked.system ? [{ role: "system", content: asked.system }] : [];
    const functions = (asked.tools ?? []).map((name) => ({
      type: "function",
      function: { name, description: "Does it.", parameters: SCHEMA },
    }));
    return {
      model,
      messages: [...system, ...(asked.turns ?? [this.question(asked)])],
      max_completion_tokens: asked.most ?? 2000,
      ...(asked.tools && { tools: functions, tool_choice: asked.forced ? "required" : "auto" }),
      ...(asked.thinks && { reasoning_effort: "low" }),
      ...(asked.stop && { stop: [asked.stop] }),
      ...(asked.schema && {
        response_format: { type: "json_schema", json_schema: { name: "forecast", strict: true, schema: SCHEMA } },
      }),
    };
  },

  async ask(key, model, asked, streamed) {
    const { completions } = this.client(key).chat;
    const body = this.body(model, asked);
    const stream = streamed && completions.stream({ ...body, stream_options: { include_usage: true } });
    // Of pieces it does not know, the client keeps the last one only.
    let thought = "";
    if (stream) stream.on("chunk", (chunk) => (thought += chunk.choices[0]?.delta.reasoning_content ?? ""));
    const answer = stream ? await stream.finalChatCompletion() : await completions.create(body);
    const [{ message, finish_reason: finish }] = answer.choices;
    const { parsed: _, ...turn } = message;
    return {
      text: message.content ?? "",
      thought: thought || message.reasoning_content || "",
      calls: (message.tool_calls ?? []).map((call) => [call.function.name, JSON.parse(call.function.arguments)]),
      finish: { length: "capped", tool_calls: "calls" }[finish] ?? finish,
      usage: [answer.usage.prompt_tokens, answer.usage.completion_tokens],
      turn,
    };
  },

  results: ({ turn }) =>
    turn.tool_calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: "sunny" })),

  async *words(model, asked) {
    const { completions } = this.client(world.key).chat;
    for await (const chunk of await completions.create({ ...this.body(model, asked), stream: true })) {
      for (const choice of chunk.choices) yield choice.delta.content ?? "";
    }
  },

  status: (error) => error instanceof OpenAI.APIError && error.status,
  retryAfter: (error) => error.headers.get("retry-after"),
};

const anthropic = {
  client: (key) =>
    new Anthropic({ baseURL: `http://${world.address}`, apiKey: key, maxRetries: 0, timeout: 30_000 }),

  question: ({ text, image }) => ({
    role: "user",
    content: image
      ? [
          { type: "text", text },
          { type: "image", source: { type: "base64", media_type: "image/png", data: PIXEL } },
        ]
      : text,
  }),

  body(model, asked) {
    return {
      model,
      messages: asked.turns ?? [this.question(asked)],
      max_tokens: asked.most ?? 2000,
      ...(asked.system && { system: asked.system }),
      ...(asked.tools && {
        tools: asked.tools.map((name) => ({ name, description: "Does it.", input_schema: SCHEMA })),
        tool_choice: { type: asked.forced ? "any" : "auto" },
      }),
      ...(asked.thinks && { thinking: { type: "enabled", budget_tokens: 1024 } }),
      ...(asked.stop && { stop_sequences: [asked.stop] }),
      ...(asked.schema && { output_config: { format: { type: "json_schema", schema: SCHEMA } } }),
    };
  },

  async ask(key, model, asked, streamed) {
    const { messages } = this.client(key);
    const body = this.body(model, asked);
    const answer = streamed ? await messages.stream(body).finalMessage() : await messages.create(body);
    const { content, usage } = answer;
    const blocks = (type) => content.filter((block) => block.type === type);
    const finish = { end_turn: "stop", stop_sequence: "stop", max_tokens: "capped", tool_use: "calls" };
    const cached = (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0);
    return {
      text: blocks("text").map((block) => block.text).join(""),
      thought: blocks("thinking").map((block) => block.thinking).join(""),
      calls: blocks("tool_use").map((block) => [block.name, block.input]),
      finish: finish[answer.stop_reason],
      usage: [usage.input_tokens + cached, usage.output_tokens],
      turn: { role: "assistant", content: content.map(({ parsed_output: _, ...block }) => block) },
    };
  },

  results({ turn }) {
    const calls = turn.content.filter((block) => block.type === "tool_use");
    const content = calls.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: "sunny" }));
    return [{ role: "user", content }];
  },

  async *words(model, asked) {
    const { messages } = this.client(world.key);
    for await (const event of messages.stream(this.body(model, asked))) {
      if (event.type === "content_block_delta" && event.delta.type === "text_delta") yield event.delta.text;
    }
  },

  status: (error) => error instanceof Anthropic.APIError && error.status,
  retryAfter: (error) => error.headers.get("retry-after"),
};

const ai = {
  model(key, model) {
    const baseURL = `http://${world.address}/v1`;
    const options = { name: "trunkline", baseURL, apiKey: key, includeUsage: true, supportsStructuredOutputs: true };
    return createOpenAICompatible(options)(model);
  },

  question: ({ text, image }) => ({
    role: "user",
    content: [
      { type: "text", text },
      ...(image ? [{ type: "image", image: `data:image/png;base64,${PIXEL}`, mediaType: "image/png" }] : []),
    ],
  }),

  options(key, model, asked) {
    const described = (name) => [name, tool({ description: "Does it.", inputSchema: jsonSchema(SCHEMA) })];
    return {
      model: this.model(key, model),
      messages: asked.turns ?? [this.question(asked)],
      maxOutputTokens: asked.most ?? 2000,
      maxRetries: 0,
      ...(asked.system && { system: asked.system }),
      ...(asked.tools && {
        tools: Object.fromEntries(asked.tools.map(described)),
        toolChoice: asked.forced ? "required" : "auto",
      }),
      ...(asked.thinks && { providerOptions: { trunkline: { reasoningEffort: "low" } } }),
      ...(asked.stop && { stopSequences: [asked.stop] }),
      ...(asked.schema && { output: Output.object({ schema: jsonSchema(SCHEMA) }) }),
    };
  },

  async ask(key, model, asked, streamed) {
    let failed;
    const options = this.options(key, model, asked);
    const answer = streamed
      ? streamText({ ...options, onError: ({ error }) => (failed = error) })
      : await generateText(options);
    try {
      if (streamed) await answer.consumeStream();
      if (failed) throw failed;
      const usage = await answer.usage;
      const finish = await answer.finishReason;
      return {
        text: await answer.text,
        thought: (await answer.reasoningText) ?? "",
        calls: (await answer.toolCalls).map((call) => [call.toolName, call.input]),
        finish: { length: "capped", "tool-calls": "calls" }[finish] ?? finish,
        usage: [usage.inputTokens, usage.outputTokens],
        toolCalls: await answer.toolCalls,
        turn: (await answer.response).messages,
      };
    } catch (error) {
      throw failed ?? error;
    }
  },

  results({ toolCalls }) {
    const result = ({ toolCallId, toolName }) => ({
      type: "tool-result",
      toolCallId,
      toolName,
      output: { type: "text", value: "sunny" },
    });
    return [{ role: "tool", content: toolCalls.map(result) }];
  },

  async *words(model, asked) {
    const stream = streamText({ ...this.options(world.key, model, asked), onError() {} });
    for await (const part of stream.fullStream) {
      if (part.type === "text-delta") yield part.text;
      if (part.type === "error") throw part.error;
    }
  },

  status: (error) => APICallError.isInstance(error) && error.statusCode,
  retryAfter: (error) => error.responseHeaders["retry-after"],
};

const CALLERS = { "node-openai": openai, "node-anthropic": anthropic, "node-ai": ai };

/** The calls of a marker in the provider's log, once there are so many; all must have been proper. */
async function proper(marker, count) {
  for (const until = Date.now() + PATIENCE_MS; Date.now() < until; await sleep(20)) {
    const lines = readFileSync(world.log, "utf8").split("\n").filter(Boolean);
    const calls = lines.map((line) => JSON.parse(line)).filter((call) => call.marker === marker);
    if (calls.length !== count) continue;
    assert.deepEqual(calls.flatMap((call) => call.violations), []);
    return calls;
  }
  assert.fail(`no ${count} calls marked ${marker}`);
}

/** One client at one provider's dialect, one way. */
class Case {
  calls = 0;

  constructor(name, upstream, streamed, check) {
    this.caller = CALLERS[name];
    this.upstream = upstream;
    this.streamed = streamed;
    this.owner = `${name}-${streamed ? "streamed" : "buffered"}`;
    this.marker = `${this.owner}-${upstream}-${check}`;
    this.text = `What is the weather? [[${this.marker}]]`;
  }

  /** Asks; what the provider saw was proper and cost what the answer says. */
  async ask(more = {}) {
    const asked = { text: this.text, ...more };
    const answer = await this.caller.ask(world.key, `acme/${this.upstream}`, asked, this.streamed);
    this.calls += 1;
    const call = (await proper(this.marker, this.calls)).at(-1);
    assert.deepEqual(answer.usage, [call.billed.prompt_tokens, call.billed.completion_tokens]);
    return { ...answer, body: call.body };
  }

  /** The answer to a question that makes these tools be called. Ollama's own dialect cannot say that one must be: that is
   * refused, and the fake calls of its own accord. */
  async called(tools) {
    const forced = !(this.caller === anthropic && this.upstream === "ollama");
    if (!forced) {
      const asked = { text: this.text, tools, forced: true };
      const ask = this.caller.ask(world.key, `acme/${this.upstream}`, asked, this.streamed);
      await assert.rejects(ask, /`tool_choice` cannot be carried/);
    }
    return this.ask({ tools, forced });
  }

  /** The model of this case alone that goes wrong in that way. */
  goingWrong(how) {
    return `${how}-${this.owner}/${this.upstream}`;
  }

  /** The error a question ends in, which is the client's own class for this status. */
  async fails(status, model, key = world.key) {
    const failed = await this.caller.ask(key, model, { text: this.text }, this.streamed).then(
      () => assert.fail("no error"),
      (error) => error,
    );
    assert.equal(this.caller.status(failed), status, failed.stack);
    return failed;
  }

  /** What comes after a turn of the client's: the question, the answer, and what is said to that. */
  turns(answer, ...next) {
    return [this.caller.question({ text: this.text }), answer.turn, ...next].flat();
  }

  /** A stream that says something and then ends in an error. */
  async breaks(how) {
    let said = "";
    await assert.rejects(async () => {
      for await (const word of this.caller.words(this.goingWrong(how), { text: this.text })) said += word;
    });
    assert(said.startsWith("Hello "), said);
  }
}

const words = (text) => text.split(" ").length;

const cases = {
  async saysSomething(it) {
    const { text, finish, thought, calls } = await it.ask();
    assert.deepEqual({ text, finish, thought, calls }, { text: TEXT, finish: "stop", thought: "", calls: [] });
  },

  async followsASystemPrompt(it) {
    const { text, usage, body } = await it.ask({ system: "Be brief. Be kind." });
    assert.equal(text, TEXT);
    assert(body.includes("Be brief. Be kind."));
    assert.equal(usage[0], 4 + words(it.text));
  },

  async stopsWhereThereIsNoMoreRoom(it) {
    const { text, finish } = await it.ask({ most: 3 });
    assert.deepEqual([text.trim(), finish], ["Hello from the", "capped"]);
  },

  async stopsAtAText(it) {
    const { text, finish } = await it.ask({ stop: "It" });
    assert.deepEqual([text, finish], ["Hello from the fake provider. ", "stop"]);
  },

  async seesAnImage(it) {
    const { text, usage } = await it.ask({ image: true });
    assert.deepEqual([text, usage[0]], [TEXT, 85 + words(it.text)]);
  },

  async callsAToolAndTakesItsResult(it) {
    const tools = ["get_weather"];
    const answer = await it.called(tools);
    assert.deepEqual([answer.calls, answer.finish, answer.text], [[["get_weather", ARGUMENTS]], "calls", ""]);
    const again = await it.ask({ tools, turns: it.turns(answer, it.caller.results(answer)) });
    assert.deepEqual([again.text, again.finish], [TEXT, "stop"]);
  },

  async callsSeveralToolsAtOnce(it) {
    const tools = ["get_weather", "get_news"];
    const answer = await it.called(tools);
    assert.deepEqual(answer.calls, tools.map((name) => [name, ARGUMENTS]));
    const again = await it.ask({ tools, turns: it.turns(answer, it.caller.results(answer)) });
    assert.equal(again.text, TEXT);
  },

  async speaksJsonByASchema(it) {
    assert.deepEqual(JSON.parse((await it.ask({ schema: true })).text), ARGUMENTS);
  },

  async thinksAndTakesItsThoughtsBack(it) {
    const answer = await it.ask({ thinks: true });
    // OpenAI's chat shows no thoughts, callers of it are answered by it wherever it is spoken, and the fake's Mistral has none.
    const silent = ["openai", "mistral", ...(it.caller === anthropic ? [] : ["ollama"])];
    const shown = !silent.includes(it.upstream);
    assert.deepEqual([answer.text, answer.thought], [TEXT, shown ? THOUGHT : ""]);
    const again = await it.ask({ thinks: true, turns: it.turns(answer, it.caller.question({ text: it.text })) });
    assert.equal(again.text, TEXT);
  },

  async refusesAWrongKey(it) {
    await it.fails(401, `acme/${it.upstream}`, "sk-tl-wrong");
  },

  async doesNotKnowAModel(it) {
    const error = await it.fails(404, `acme/${it.upstream}-2`);
    assert(error.message.includes(`acme/${it.upstream}`), error.message);
  },

  async passesOnARefusal(it) {
    const error = await it.fails(400, it.goingWrong("refusing"));
    assert(error.message.includes("The fake refuses this."), error.message);
  },

  async passesOnALimit(it) {
    const after = Number(it.caller.retryAfter(await it.fails(429, it.goingWrong("limited"))));
    assert(after > 0 && after <= 7, String(after));
  },
};

const ofStreams = {
  breaksOff: (it) => it.breaks("cut"),
  breaksOffWithAnError: (it) => it.breaks("breaking"),
};

// Words choose checks: `matrix_node.mjs node-ai streamed`.
const chosen = process.argv.slice(2);
let passed = 0;
let failed = 0;
for (const name of Object.keys(CALLERS)) {
  for (const upstream of UPSTREAMS) {
    for (const streamed of [false, true]) {
      for (const [check, run] of Object.entries({ ...cases, ...(streamed && ofStreams) })) {
        const title = `${name} at ${upstream}, ${streamed ? "streamed" : "buffered"}: ${check}`;
        if (!chosen.every((word) => title.includes(word))) continue;
        try {
          await run(new Case(name, upstream, streamed, check));
          passed += 1;
          console.log(`ok      ${title}`);
        } catch (error) {
          failed += 1;
          console.log(`FAILED  ${title}: ${error.stack}`);
        }
      }
    }
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
