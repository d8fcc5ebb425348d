"""The README's lines: a fusion against docetaxel, from two cards to a hazard ratio."""

import twoarm as ta

model = ta.read_model("pd1_il2")  # library/biology/pd1_il2.ant
fusion, taxane = ta.read_molecule("ibi363"), ta.read_molecule("docetaxel")
protocol = ta.Protocol(
    arms={
        "new": ta.Regimen(fusion, dose="3 mg/kg", every="3 weeks", priming=[("0.1 mg/kg", 0)], start_day=7),
        "old": ta.Regimen(taxane, dose="75 mg/m2", every="3 weeks", infusion="1 h"),
    },
    outcomes="squamous_nsclc",
    enrollment="25 per month",
    imaging="every 6 weeks",
    follow_up="24 months",
)
patients = ta.draw_patients(ta.read_population("io_resistant_squamous_nsclc"), n=60, seed=7)
trial = ta.run_trial(model, protocol, patients, seed=11)
final = ta.cut(trial, endpoint="OS", events=30)
print(ta.analyze(final).round(2).to_string(index=False))  # by arm, then hazard ratios; 95 % intervals
