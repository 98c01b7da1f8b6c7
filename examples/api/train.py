"""mtft as a library: train, refine, score and predict. Further settings: ``python train.py epochs=1 lr=2e-4``."""

import sys

import mtft

more = dict(argument.split("=", 1) for argument in sys.argv[1:])
run = mtft.train(tasks=["sst", "quora", "sts"], sample=True, out="runs/api", overwrite=True, notify=print, **more)
print(f"epoch {run.best_epoch} is the best: {run.dev}")

refined = mtft.refine(
    run.path, tasks=["sts"], sample=True, epochs=1, out="runs/api-refined", overwrite=True, model=more.get("model")
)
scored = mtft.evaluate(refined.path, sample=True, resamples=200, model=more.get("model"))
for task, found in scored.tasks.items():
    for name, interval in found.metrics.items():
        print(f"{task} {name}: {interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f})")

model = mtft.Model(refined.path, model=more.get("model"))
for answer in model.predict(["A joy from start to end.", ("How do I cook rice?", "What is a way to cook rice?")]):
    print(answer)
