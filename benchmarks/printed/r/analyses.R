# What R itself gets for the rows of printed_analyses.py; data are those that the Python script writes.
#
#     python benchmarks/printed_analyses.py --data /tmp/data
#     Rscript benchmarks/printed/r/analyses.R /tmp/data > benchmarks/printed/r/analyses.csv
#
# Debian 12: r-base-core, r-cran-survival, r-cran-cmprsk, r-cran-rpact. Names of rows are those of the script.
suppressPackageStartupMessages({library(survival); library(cmprsk); library(rpact)})
folder <- commandArgs(TRUE)[1]
data <- function(name) read.csv(file.path(folder, paste0(name, ".csv")))
cat(sprintf("# %s, survival %s, cmprsk %s, rpact %s\n", R.version.string, packageVersion("survival"),
            packageVersion("cmprsk"), packageVersion("rpact")))
cat("analysis,what,value\n")
say <- function(analysis, what, value) cat(sprintf('"%s","%s",%.10g\n', analysis, what, value))
exact <- coxph.control(eps = 1e-12, toler.chol = 1e-14, iter.max = 60)

chisq <- function(formula, data, rho = 0) survdiff(formula, data, rho = rho)$chisq
told <- function(what, fit) for (name in names(coef(fit))) {
  say("Cox", sprintf("%s; %s", what, name), coef(fit)[[name]])
  say("Cox", sprintf("%s; %s: standard error", what, name), sqrt(diag(vcov(fit)))[[name]])
}
# cox.zph as it was up to version 2 of survival, with its transform "km", line by line
zph2 <- function(fit, day, died) {
  r <- residuals(fit, "schoenfeld")
  r <- matrix(r, ncol = length(coef(fit)))
  km <- survfit(Surv(day, died) ~ 1)
  at <- km$n.event > 0
  late <- 1 - rep(c(1, km$surv[at]), c(km$n.event[at], 0))
  late <- late - mean(late)
  scaled <- r %*% vcov(fit) * nrow(r)
  setNames(drop(late %*% scaled)^2 / (diag(vcov(fit)) * nrow(r) * sum(late^2)), names(coef(fit)))
}
area <- function(formula, data, until) {
  found <- summary(survfit(formula, data), rmean = until)$table
  if (is.matrix(found)) found[, c("rmean", "se(rmean)")] else found[c("rmean", "se(rmean)")]
}

lung <- data("lung")
say("log-rank", "lung, sex: chi-square", chisq(Surv(time, status) ~ sex, lung))
say("Fleming-Harrington (1, 0)", "lung, sex: chi-square", chisq(Surv(time, status) ~ sex, lung, 1))
say("Fleming-Harrington (1, 0)", "lung, sex: p", pchisq(chisq(Surv(time, status) ~ sex, lung, 1), 1, lower = FALSE))
told("lung, age + sex", coxph(Surv(time, status) ~ age + sex, lung, control = exact))
told("lung, age + sex + ph.ecog", coxph(Surv(time, status) ~ age + sex + ph.ecog, lung, control = exact))
known <- lung[!is.na(lung$wt.loss), ]
test <- zph2(coxph(Surv(time, status) ~ age + sex + wt.loss, known, control = exact), known$time, known$status)
for (name in names(test)) say("Grambsch-Therneau", sprintf("lung, %s: chi-square", name), test[[name]])
men <- area(Surv(time, status) ~ 1, lung[lung$sex == 1, ], 1022)
say("restricted mean", "lung, men, to 1022 days", men[[1]])
say("restricted mean", "lung, men: standard error", men[[2]])
whole <- summary(survfit(Surv(time, status) ~ 1, lung, conf.type = "log-log"), times = 365.25)
say("Kaplan-Meier", "lung, one year", whole$surv)
say("Kaplan-Meier", "lung, one year: low", whole$lower)
say("Kaplan-Meier", "lung, one year: high", whole$upper)
middle <- summary(survfit(Surv(time, status) ~ sex, lung, conf.type = "log-log"))$table
for (row in 1:2) {
  who <- c("men", "women")[row]
  say("Kaplan-Meier", sprintf("lung, median of %s", who), middle[row, "median"])
  say("Kaplan-Meier", sprintf("lung, median of %s: low", who), middle[row, "0.95LCL"])
  say("Kaplan-Meier", sprintf("lung, median of %s: high", who), middle[row, "0.95UCL"])
}
lung$ecog <- lung$ph.ecog
rated <- lung[!is.na(lung$ecog) & lung$ecog < 3, ]
say("log-rank", "lung, sex by ph.ecog: chi-square", chisq(Surv(time, status) ~ sex + strata(ecog), rated))
told("lung, by ph.ecog", coxph(Surv(time, status) ~ sex + strata(ecog), rated, control = exact))

aml <- data("aml")
say("log-rank", "aml: chi-square", chisq(Surv(day, event) ~ maintained, aml))
say("log-rank", "aml: p", pchisq(chisq(Surv(day, event) ~ maintained, aml), 1, lower = FALSE))
say("Cox", "aml: hazard ratio", exp(-coef(coxph(Surv(day, event) ~ maintained, aml, control = exact))[[1]]))
means <- area(Surv(day, event) ~ maintained, aml, 161)
for (row in 1:2) {
  who <- c("not", "maintained")[row]
  say("restricted mean", sprintf("aml, %s, to 161 weeks", who), means[row, 1])
  say("restricted mean", sprintf("aml, %s: standard error", who), means[row, 2])
}
gehan <- data("gehan")
say("log-rank", "6-MP: chi-square", chisq(Surv(t, status) ~ Rx, gehan))
ends <- exp(c(coef(coxph(Surv(t, status) ~ Rx, gehan, control = exact)),
              confint(coxph(Surv(t, status) ~ Rx, gehan, control = exact))))
for (place in 1:3) say("Cox", sprintf("6-MP: hazard %s", c("ratio", "low", "high")[place]), ends[place])

rossi <- data("rossi")
told("Rossi", coxph(Surv(week, arrest) ~ fin + age + race + wexp + mar + paro + prio, rossi, control = exact))
test <- zph2(coxph(Surv(week, arrest) ~ fin + age + prio, rossi, control = exact), rossi$week, rossi$arrest)
for (name in names(test)) say("Grambsch-Therneau", sprintf("Rossi, %s: chi-square", name), test[[name]])

breast <- data("gbsg2")
told("GBSG2", coxph(Surv(time, cens) ~ horTh + age + menostat + tsize + tgrade.L + tgrade.Q + pnodes + progrec +
                      estrec, breast, control = exact))
say("log-rank", "GBSG2, horTh by tgrade: chi-square", chisq(Surv(time, cens) ~ horTh + strata(tgrade), breast))
told("GBSG2, by tgrade", coxph(Surv(time, cens) ~ horTh + strata(tgrade), breast, control = exact))
sides <- do.call(rbind, lapply(split(breast, breast$tgrade), function(own) {
  means <- area(Surv(time, cens) ~ horTh, own, 1500)
  n <- table(own$horTh)
  c(weight = prod(n) / sum(n), more = means[2, 1] - means[1, 1], variance = sum(means[, 2]^2))
}))
sides[, "weight"] <- sides[, "weight"] / sum(sides[, "weight"])
say("restricted mean", "GBSG2, horTh by tgrade, difference to 1500 days", sum(sides[, "weight"] * sides[, "more"]))
say("restricted mean", "GBSG2, horTh by tgrade: standard error", sqrt(sum(sides[, "weight"]^2 * sides[, "variance"])))
free <- summary(survfit(Surv(time, cens) ~ 1, breast))
say("Kaplan-Meier", "GBSG2, median", summary(survfit(Surv(time, cens) ~ 1, breast))$table[["median"]])

# Competing risks: death from melanoma (1), of other causes (2), alive (0)
melanoma <- data("melanoma")
cause <- c(1, 0, 2)[melanoma$status]
for (unit in c("days", "years")) {
  day <- if (unit == "days") melanoma$time else ceiling(melanoma$time / 365.25)
  named <- paste0("melanoma, ", unit)
  plain <- cuminc(day, cause, melanoma$ulcer)
  parted <- cuminc(day, cause, melanoma$ulcer, melanoma$sex)
  for (code in 1:2) {
    say("Gray", sprintf("%s, ulcer, cause %d: chi-square", named, code), plain$Tests[code, "stat"])
    say("Gray", sprintf("%s, ulcer by sex, cause %d: chi-square", named, code), parted$Tests[code, "stat"])
    fit <- crr(day, cause, cbind(ulcer = melanoma$ulcer), failcode = code, gtol = 1e-13, maxiter = 100)
    say("Fine-Gray", sprintf("%s, ulcer, cause %d: log ratio", named, code), fit$coef)
    say("Fine-Gray", sprintf("%s, ulcer, cause %d: standard error", named, code), sqrt(fit$var))
  }
  at <- if (unit == "days") c(1000, 2000, 3000) else c(3, 6, 9)
  points <- timepoints(plain, at)
  for (ulcer in 0:1) for (code in 1:2) for (place in seq_along(at)) {
    where <- sprintf("%s, ulcer %d, cause %d, at %g", named, ulcer, code, at[place])
    say("Aalen-Johansen", where, points$est[sprintf("%d %d", ulcer, code), place])
  }
}

for (pair in list(c(81, 263), c(15, 148), c(0, 20), c(1, 29))) {
  ends <- binom.test(pair[1], pair[2])$conf.int
  say("Clopper-Pearson", sprintf("%d/%d: low", pair[1], pair[2]), ends[1])
  say("Clopper-Pearson", sprintf("%d/%d: high", pair[1], pair[2]), ends[2])
}

# Designs, by rpact
for (looks in 2:5) {
  part <- (1:looks) / looks
  for (kind in c("asOF", "asP", "OF", "P")) {
    design <- getDesignGroupSequential(kMax = looks, alpha = 0.025, sided = 1, informationRates = part,
                                       typeOfDesign = kind)
    name <- c(asOF = "spending like O'Brien-Fleming", asP = "spending like Pocock", OF = "O'Brien-Fleming",
              P = "Pocock")[[kind]]
    for (look in seq_len(looks))
      say("boundary", sprintf("%s, %d looks, look %d", name, looks, look), design$criticalValues[look])
  }
}
for (ratio in c(0.5, 0.7, 0.8)) for (allocation in 1:2) {
  found <- getSampleSizeSurvival(hazardRatio = ratio, alpha = 0.025, beta = 0.1, allocationRatioPlanned = allocation,
                                 lambda2 = 0.05, accrualTime = 12, followUpTime = 12)
  say("Schoenfeld", sprintf("ratio %g, %d:1, power 0.9: events", ratio, allocation), found$eventsFixed)
}
