"""A morning at the French instance, all made up: colleagues in three countries, discussions, requests, notices."""

from __future__ import annotations

from datetime import timedelta

from tests.instance.pages.house import HASH
from tests.instance.pages.rows import DE, IT, Rows

SYNCOPE = (
    "<p>Patient in their thirties, two syncopes during interval training, none at rest. No family history known.</p>"
    "<p>Resting ECG: sinus rhythm, <strong>T-wave inversion V1–V4</strong>, QTc 440 ms. Echocardiography: right "
    "ventricle slightly enlarged, otherwise normal.</p><ul><li>Holter: 900 ventricular extrasystoles a day</li>"
    "<li>Exercise test: stopped for a run of wide complexes</li></ul>"
    "<p>Would you go straight to cardiac MRI, or to genetic testing at once? What do you tell the patient about sport "
    "until then?</p>"
)


def fill(rows: Rows) -> None:
    """Write the scene."""
    rows.sibling(DE, "esanum Deutschland", contact=timedelta(minutes=4))
    rows.sibling(IT, "esanum Italia", policy="pause", contact=timedelta(hours=30))
    marie = rows.doctor("marie", "Dr Marie Lefèvre", "cardiology", summary="<p>Rythmologie, surtout du sportif.</p>")
    rows.account("marie", marie, HASH)
    leo = rows.doctor("leo", "Léo Martin", "cardiology", role="resident")
    rows.account("leo", leo, HASH)
    paul = rows.doctor("paul", "Dr Paul Girard", "general-practice", role="retired")
    rows.account("paul", paul, HASH)
    late = rows.doctor("late", "Dr Odile Retard", "cardiology", valid_days=-2)
    rows.account("late", late, HASH)
    out = rows.doctor("out", "Dr Yves Dehors", "cardiology", standing="suspended")
    rows.account("out", out, HASH)
    rows.account("staff", None, HASH, roles='["administrator"]')
    anna = rows.doctor("anna.weber", "Dr. Anna Weber", "cardiology", "internal-medicine", origin=DE)
    jonas = rows.doctor("jonas", "Jonas Freiherr von Altenstein-Hohenburg", "medical-genetics", origin=DE)
    giulia = rows.doctor("giulia", "Dott.ssa Giulia Ferri", "cardiology", origin=IT, standing="revoked")
    rows.follow(marie, anna)
    rows.follow(jonas, marie)
    rows.follow(giulia, marie, "pending")
    rows.follow(marie, giulia, "pending")

    case = rows.post(anna, "Syncope after exercise in a thirty-year-old: what next?", SYNCOPE, hours_ago=3)
    first = rows.comment(
        leo, case, "<p>IRM d’abord : l’inversion de V1 à V4 fait penser à une cardiomyopathie du VD.</p>", language="fr"
    )
    second = rows.comment(jonas, case, "<p>MRT zuerst, die Genetik parallel anmelden.</p>", parent=first, language="de")
    rows.comment(anna, case, "<p>Thank you both. MRI is booked.</p>", parent=second)
    own = rows.comment(marie, case, "<p>No sport at all until the MRI is read, and tell the family why.</p>")
    rows.like(anna, rows.uri_of(own, "comments"))
    rows.like(marie, rows.uri_of(case))
    rows.post(
        marie,
        "Quelle anticoagulation après ablation chez une patiente fragile ?",
        "<p>Patiente âgée, chutes répétées, CHA₂DS₂-VASc 5. Ablation il y a peu.</p><p>Qui arrête, et quand ?</p>",
        language="fr",
        kind="question",
        hours_ago=1.5,
        specialties=("cardiology", "geriatrics"),
    )
    rows.post(
        jonas,
        "Beobachtung: familiäre Häufung ohne bekannte Variante",
        "<p>Drei Geschwister mit ähnlichem Verlauf; das übliche Panel ist leer.</p>",
        language="de",
        kind="observation",
        audience="colleagues",
        hours_ago=20,
        specialties=("medical-genetics", "cardiology", "paediatrics"),
    )
    rows.post(
        leo,
        "Garde de nuit : retour d’expérience sur le tri des douleurs thoraciques",
        "<p>Trois mois de tri infirmier anticipé : ce qui a changé.</p>",
        language="fr",
        kind="news",
        audience="national",
        hours_ago=26,
        role="resident",
    )
    ask = rows.post(anna, "Second look at an MRI?", "<p>Could you have a look?</p>", audience="named", named=(marie,))
    rows.notice(marie, "follow_asked", giulia)
    rows.notice(marie, "answer", anna, post=case, about=rows.uri_of(own, "comments"))
    rows.notice(marie, "named", anna, post=ask)
    rows.notice(marie, "follow_accepted", anna, read=True)
